package keeper

import (
	"os"
	"slices"

	"skep/internal/fault"
	"skep/internal/plan"
	"skep/internal/provision"
)

// mistakes adds to an error that the cell file is to blame for what else of that
// kind the rest of the plan would meet: whoever fixes a file wants to hear all
// of it at once. Each says which line of the file it is about.
func (k *Keeper) mistakes(err error, path string, t provision.Provisioner, rest []plan.Resource) error {
	if fault.CodeOf(err) != fault.Input {
		return err
	}
	all := fault.ListOf(err)
	if all == nil {
		all = fault.List{err}
	}
	for i := range all {
		all[i] = plan.Located(k.Cell, path, all[i])
	}
	return fault.Join(k.look(all, t, rest)...)
}

// look adds to what is known of a plan already what else the cell file is to
// blame for.
func (k *Keeper) look(all fault.List, t provision.Provisioner, rest []plan.Resource) fault.List {
	disks := map[string]*os.File{}
	defer func() {
		for _, f := range disks {
			f.Close()
		}
	}()
	for _, r := range rest {
		for _, err := range t.Look(r, disks) {
			NameHolders(k.Store, err)
			err = plan.Located(k.Cell, r.For, err)
			same := func(e error) bool { return e.Error() == err.Error() }
			if fault.CodeOf(err) == fault.Input && !slices.ContainsFunc(all, same) {
				all = append(all, err)
			}
		}
	}
	return all
}

// Look says what a start would refuse of what a plan names on this host, and
// keeps nothing: a disk is opened and locked for the moment of looking, an address
// listened on. Of a cell that runs there is nothing to look at: it has all of it.
func Look(cfg Config, p *plan.Plan) error {
	if cfg.Store.Held(cfg.Cell.Name) || Orphaned(cfg.Store, cfg.Cell.Name) {
		return nil
	}
	k := New(cfg)
	return fault.Join(k.look(nil, k.newProvisioner(p), p.Resources)...)
}
