//go:build !freebsd

package devfs

import (
	"errors"
	"fmt"
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
func (*Mount) Add(int, Rule) error { return errOther }

// Rules fails here.
func (*Mount) Rules(int) ([]Rule, error) { return nil, errOther }

// Sets fails here.
func (*Mount) Sets() ([]int, error) { return nil, errOther }

// Rulesets fails here.
func (*Mount) Rulesets() (Rulesets, error) { return nil, errOther }

// DeleteSet fails here.
func (*Mount) DeleteSet(int) error { return errOther }

// Use fails here.
func (*Mount) Use(int) error { return errOther }

// ApplySet fails here.
func (*Mount) ApplySet(int) error { return errOther }

// Apply fails here.
func (*Mount) Apply(Rule) error { return errOther }

// Depth fails here.
func Depth() (int, error) { return 0, errOther }
