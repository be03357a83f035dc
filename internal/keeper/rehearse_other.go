//go:build !linux

package keeper

import (
	"context"
	"errors"
	"fmt"

	"skep/internal/plan"
)

// Rehearse is for Linux so far.
func (k *Keeper) Rehearse(context.Context, func(*plan.Plan), func(context.Context, Stage) error) error {
	return fmt.Errorf("cannot rehearse on this system: %w", errors.ErrUnsupported)
}
