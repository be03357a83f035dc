//go:build !linux

package cli

import "syscall"

// alive says whether a process of that number exists.
func alive(pid int, _ uint64) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || err == syscall.EPERM
}
