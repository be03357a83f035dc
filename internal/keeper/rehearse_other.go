//go:build !linux && !freebsd

package keeper

import (
	"context"
	"errors"
	"fmt"

	"skep/internal/plan"
)

// A Stage is a cell whose resources are all taken but for the hypervisor. There is none here.
type Stage struct{}

func (k *Keeper) perform(context.Context, *plan.Plan, plan.Resource, func(context.Context, Stage) error) error {
	return fmt.Errorf("cannot rehearse on this system: %w", errors.ErrUnsupported)
}
