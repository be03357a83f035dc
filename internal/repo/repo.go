// Package repo holds what is true of this repository as a whole: which package may import which,
// what every package and every requirement must say of itself, and that the documents tell what
// the program does. There is nothing in it but tests, and two small programs that `make` runs.
package repo
