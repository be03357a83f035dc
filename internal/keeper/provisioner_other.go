//go:build !linux && !freebsd

package keeper

import (
	"context"
	"errors"

	"skep/internal/plan"
	"skep/internal/store"
)

type noProvisioner struct{}

func newProvisioner(*Keeper, *plan.Plan) provisioner { return noProvisioner{} }
func sweeper(bool) provisioner                       { return noProvisioner{} }
func rememberRefused(*Keeper)                        {}
func slotBusy(*plan.Plan) bool                       { return false }
func bare(*store.Store, string) []plan.Resource      { return nil }

func (noProvisioner) acquire(context.Context, plan.Resource) (store.Held, error) {
	return store.Held{}, errors.ErrUnsupported
}
func (noProvisioner) release(context.Context, plan.Resource, store.Held) error {
	return errors.ErrUnsupported
}
func (noProvisioner) machine() machine { return nil }
