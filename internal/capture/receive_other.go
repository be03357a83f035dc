//go:build !linux && !freebsd

package capture

import (
	"errors"
	"os"

	"skep/internal/netjob"
)

// Receive is of Linux and FreeBSD.
func Receive(netjob.Capture, map[string]*os.File, *Ring) error { return errors.ErrUnsupported }
