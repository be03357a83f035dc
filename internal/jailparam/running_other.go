//go:build !freebsd

package jailparam

import "errors"

// List fails here.
func List() ([]Running, error) { return nil, errors.ErrUnsupported }
