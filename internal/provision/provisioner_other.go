//go:build !linux && !freebsd

package provision

import (
	"context"
	"errors"
	"fmt"
	"os"

	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/plan"
	"skep/internal/store"
)

var errNone = fmt.Errorf("cannot run a cell on this system: %w", errors.ErrUnsupported)

type none struct{}

// New returns what can acquire nothing here.
func New(Config) Provisioner { return none{} }

// Sweeper returns what can release nothing here.
func Sweeper(bool) Provisioner { return none{} }

// RememberRefused has nothing to remember.
func RememberRefused(*cell.Cell, host.Facts) error { return nil }

// SlotBusy finds none.
func SlotBusy(*plan.Plan) bool { return false }

// Bare finds none.
func Bare(*store.Store, string) []plan.Resource { return nil }

func (none) Acquire(context.Context, plan.Resource) (store.Held, error)    { return store.Held{}, errNone }
func (none) Release(context.Context, plan.Resource, store.Held) error      { return errNone }
func (none) Look(plan.Resource, map[string]*os.File) []error               { return []error{errNone} }
func (none) Adopt(context.Context, []store.Outstanding, store.State) error { return errNone }
func (none) Machine() Machine                                              { return nil }
func (none) Fixture(context.Context, plan.Resource, func(store.Held) error, func(context.Context, Fixture) error) error {
	return errNone
}
