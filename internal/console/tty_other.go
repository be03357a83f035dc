//go:build !linux && !freebsd

package console

import "errors"

func setLocal(int, uint32, uint32) error { return errors.ErrUnsupported }

func flushInput(int) error { return errors.ErrUnsupported }
