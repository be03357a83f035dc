//go:build !linux

package slim

// dropProgram: the pages of a program are the kernel's to reclaim.
func dropProgram() {}
