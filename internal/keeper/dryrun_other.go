//go:build !linux && !freebsd

package keeper

import (
	"context"
	"errors"
	"fmt"

	"skep/internal/plan"
)

// A Fixture is a cell whose resources are all acquired but for the hypervisor. There is none here.
type Fixture struct{}

func (k *Keeper) perform(context.Context, *plan.Plan, plan.Resource, func(context.Context, Fixture) error) error {
	return fmt.Errorf("cannot do a dry run on this system: %w", errors.ErrUnsupported)
}
