//go:build !linux

package store

import (
	"errors"
	"syscall"
)

// dying says whether a process is no more to be found.
func dying(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
