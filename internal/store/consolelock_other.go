//go:build !freebsd

package store

import "syscall"

// consoleLock: QEMU serves its console itself, and one client at a time.
const consoleLock = syscall.LOCK_EX
