package keeper

import (
	"context"
	"os"

	"skep/internal/plan"
	"skep/internal/provision"
	"skep/internal/reader"
	"skep/internal/store"
	"skep/internal/tool"
)

// env is what a provisioner sees of its keeper.
type env struct{ k *Keeper }

func (k *Keeper) newProvisioner(p *plan.Plan) provision.Provisioner {
	return thisHost.provisioner(provision.Config{Cell: k.Cell, Plan: p, Env: env{k}, FirstClient: k.Prepared != nil})
}

func (e env) Notify(line string)                  { e.k.Notify(line) }
func (e env) Begun(id string, h store.Held) error { return e.k.begun(id, h) }
func (e env) Screen(address string)               { e.k.state.Screen = address }

func (e env) Had(d *plan.Disk) bool {
	return !d.ReadOnly && e.k.Store.HadDisk(e.k.Cell.Name, d.Path)
}

func (e env) ReadTables(image *os.File, size int64) (at uint64, cut bool, err error) {
	h := reader.Host{Facts: e.k.Facts, AllowMissing: e.k.Cell.Jail.AllowMissing}
	return h.Cut(context.Background(), image, size)
}

func (e env) Serve(j tool.Job) (*tool.Service, error) {
	j.AllowMissing = e.k.Cell.Jail.AllowMissing
	return tool.Serve(e.k.Facts, j)
}

func (e env) SaysRaw(d *plan.Disk) bool {
	_, said := e.k.Cell.Sources["disk."+d.Label+".format"]
	return said || d.Type == plan.DiskZvol || d.Type == plan.DiskDevice
}

func (e env) Process(m provision.Machine) {
	e.k.state.PID, e.k.state.PIDStart = m.Process()
	rec := m.Record()
	e.k.state.Jail, e.k.state.Reach = &rec, m.Counted()
	e.k.state.Worker, e.k.state.WorkerJail = m.Worker()
}

// anotherWorker notes who speaks with the hypervisor from now on.
func (k *Keeper) anotherWorker() {
	w, rec := k.life.live.Worker()
	k.state.Worker, k.state.WorkerJail = w, rec
	k.Log.Info("worker", "pid", w.PID, "restarts", w.Restarts, "reason", w.Reason)
	if err := k.begun(provision.WorkerID, store.Held{PID: w.PID, Start: w.Start}); err != nil {
		k.Notify(err.Error())
	}
	if err := k.Store.WriteDetail(k.state); err != nil {
		k.Notify(err.Error())
	}
	k.writeState()
}

func (e env) StopAsked() (string, bool) { return e.k.stopAsked() }

// rememberDisks writes down what the guest is about to be able to write to.
func (k *Keeper) rememberDisks(p *plan.Plan) {
	var paths []string
	for _, d := range plan.Specs[*plan.Disk](p) {
		if !d.ReadOnly {
			paths = append(paths, d.Path)
		}
	}
	if err := k.Store.RememberDisks(k.Cell.Name, paths); err != nil {
		k.Notify(err.Error())
	}
}
