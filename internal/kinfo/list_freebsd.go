package kinfo

import (
	"errors"

	"golang.org/x/sys/unix"
)

// listTries bounds how often a list is asked for that grows each time.
const listTries = 50

// List is a list of the kernel's, such as kern.proc.filedesc of a process. Its size is asked for first,
// and the kernel says ENOMEM if it has grown since: a process that works is asked again.
func List(name string, args ...int) (b []byte, err error) {
	for range listTries {
		if b, err = unix.SysctlRaw(name, args...); !errors.Is(err, unix.ENOMEM) {
			break
		}
	}
	return b, err
}
