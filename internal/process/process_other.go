//go:build !linux && !freebsd

package process

import "errors"

// BootID is not known here.
func BootID() string { return "" }

// Lives is not known here.
func Lives(int, uint64) bool { return false }

func gone(int) bool { return true }

// Handles are not known here.
func Handles(int) ([]string, error) { return nil, errors.ErrUnsupported }

// Ended is not known here.
func Ended(int) (ended <-chan struct{}, done func(), err error) {
	return nil, nil, errors.ErrUnsupported
}
