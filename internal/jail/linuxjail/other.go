//go:build !linux

// What names all packages, as go vet DIR does, finds one that builds here too.
package linuxjail
