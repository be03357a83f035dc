//go:build !linux

// Command guestinit is /init of a Linux guest.
package main

func main() {}
