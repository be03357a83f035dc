//go:build !freebsd

// Package jaillist asks a FreeBSD kernel which jails it has.
package jaillist

import (
	"errors"

	"skep/internal/jailparam"
)

// List fails here.
func List() ([]jailparam.Running, error) { return nil, errors.ErrUnsupported }
