package keeper

import (
	"maps"
	"os"
	"slices"

	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/plan"
)

// A looker is a provisioner that can tell beforehand what of a resource the cell file
// names wrongly. What it opens for that, a lock or an address among it, it lets
// go of at once. The disks are those that were opened on the way, by label; they
// are the caller's to close.
type looker interface {
	look(r plan.Resource, disks map[string]*os.File) []error
}

// mistakes adds to an error that the cell file is to blame for what else of that
// kind the rest of the plan would meet: whoever fixes a file wants to hear all
// of it at once. Each says which line of the file it is about.
func (k *Keeper) mistakes(err error, path string, t provisioner, rest []plan.Resource) error {
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
	if l, ok := t.(looker); ok {
		for _, r := range rest {
			for _, err := range l.look(r, disks) {
				NameHolders(k.Store, err)
				err = plan.Located(k.Cell, r.For, err)
				same := func(e error) bool { return e.Error() == err.Error() }
				if fault.CodeOf(err) == fault.Input && !slices.ContainsFunc(all, same) {
					all = append(all, err)
				}
			}
		}
	}
	return fault.Join(all...)
}

// lookAtDisk opens a disk and keeps it, so that another one of the same file
// shows, as it does among those that are held. Of one that is still to be made
// there is the directory.
func lookAtDisk(d *plan.Disk, held, disks map[string]*os.File) error {
	if missing, err := disk.ToBeMade(d); missing || err != nil {
		return err
	}
	all := maps.Clone(held)
	maps.Copy(all, disks)
	f, _, err := openDisk(d, all)
	if err == nil {
		disks["disk:"+d.Label] = f
	}
	return err
}
