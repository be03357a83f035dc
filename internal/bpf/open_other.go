//go:build !freebsd

package bpf

import (
	"errors"
	"os"
)

// Lost is FreeBSD's.
func Lost(*os.File) (uint64, error) { return 0, errors.ErrUnsupported }
