//go:build !linux

package cli

// dropProgram: the pages of a program are the kernel's to reclaim.
func dropProgram() {}
