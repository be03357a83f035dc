//go:build !linux

package capture

import (
	"errors"
	"os"
)

// Receive is Linux's.
func Receive(*os.File, *Ring) error { return errors.ErrUnsupported }
