//go:build !linux && !freebsd

package keeper

import (
	"context"
	"errors"

	"skep/internal/plan"
	"skep/internal/store"
)

type noTaker struct{}

func newTaker(*Keeper, *plan.Plan) taker        { return noTaker{} }
func sweeper(bool) taker                        { return noTaker{} }
func bootID() string                            { return "" }
func rememberRefused(*Keeper)                   {}
func slotBusy(*plan.Plan) bool                  { return false }
func lives(int, uint64) bool                    { return false }
func bare(*store.Store, string) []plan.Resource { return nil }

func (noTaker) take(context.Context, plan.Resource) (store.Held, error) {
	return store.Held{}, errors.ErrUnsupported
}
func (noTaker) release(context.Context, plan.Resource, store.Held) error {
	return errors.ErrUnsupported
}
func (noTaker) machine() machine { return nil }
