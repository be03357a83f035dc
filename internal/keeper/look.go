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
	return fault.Join(all...)
}
