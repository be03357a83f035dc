//go:build !linux

package main

// main is Linux's: it is the first process of a Linux guest.
func main() {}
