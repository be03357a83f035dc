package fault

import (
	"errors"
	"syscall"
)

// passing are the kernel's answers that a later try may not get: something is
// used up or in use for now. A full disk is not among them: it stays full until
// somebody makes room.
var passing = []error{
	syscall.EAGAIN, syscall.EBUSY, syscall.EADDRINUSE, syscall.ENOMEM,
	syscall.EMFILE, syscall.ENFILE, syscall.ETXTBSY,
}

// lacksForNow says whether an error of the host's is one that passes.
func lacksForNow(err error) bool {
	for _, p := range passing {
		if errors.Is(err, p) {
			return true
		}
	}
	return false
}
