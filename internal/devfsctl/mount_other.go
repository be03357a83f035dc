//go:build !freebsd

// Package devfsctl reads and changes the devfs rules that a FreeBSD kernel holds.
package devfsctl

import (
	"errors"
	"fmt"

	"skep/internal/devfs"
)

// errOther is what every call to the kernel answers elsewhere.
var errOther = fmt.Errorf("devfs rules are FreeBSD's: %w", errors.ErrUnsupported)

// Mount is an open devfs mount; there is none here.
type Mount struct{}

// Open fails here.
func Open(string) (*Mount, error) { return nil, errOther }

// Close fails here.
func (*Mount) Close() error { return errOther }

// Add fails here.
func (*Mount) Add(int, devfs.Rule) error { return errOther }

// Rules fails here.
func (*Mount) Rules(int) ([]devfs.Rule, error) { return nil, errOther }

// Sets fails here.
func (*Mount) Sets() ([]int, error) { return nil, errOther }

// Rulesets fails here.
func (*Mount) Rulesets() (devfs.Rulesets, error) { return nil, errOther }

// DeleteSet fails here.
func (*Mount) DeleteSet(int) error { return errOther }

// Use fails here.
func (*Mount) Use(int) error { return errOther }

// ApplySet fails here.
func (*Mount) ApplySet(int) error { return errOther }

// Apply fails here.
func (*Mount) Apply(devfs.Rule) error { return errOther }

// Depth fails here.
func Depth() (int, error) { return 0, errOther }
