package keeper

import (
	"skep/internal/plan"
	"skep/internal/provision"
	"skep/internal/store"
)

// env is what a provisioner sees of its keeper.
type env struct{ k *Keeper }

func (k *Keeper) newProvisioner(p *plan.Plan) provision.Provisioner {
	return provision.New(provision.Config{Cell: k.Cell, Plan: p, Env: env{k}, FirstClient: k.Prepared != nil})
}

func (e env) Notify(line string)                  { e.k.Notify(line) }
func (e env) Begun(id string, h store.Held) error { return e.k.begun(id, h) }
func (e env) Screen(address string)               { e.k.state.Screen = address }

func (e env) Process(m provision.Machine) {
	e.k.state.PID, e.k.state.PIDStart = m.Process()
	rec := m.Record()
	e.k.state.Jail, e.k.state.Reach = &rec, m.Counted()
}

func (e env) StopAsked() (string, bool) {
	if e.k.stop != nil {
		return e.k.stop.who, true
	}
	o, ok := e.k.pendingStop()
	if !ok {
		return "", false
	}
	e.k.stop = &o
	o.answer(nil)
	return o.who, true
}
