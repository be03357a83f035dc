//go:build linux || freebsd

package provision

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"

	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/plan"
)

// openDisk opens a disk. Where it is refused because the cell itself has it
// under another name, that is said, and not that somebody else has it.
// What begins as another format does is the guest's own doing where it has had
// the disk before, or, of what guests do put on disks, where the file says raw.
func openDisk(d *plan.Disk, files map[string]*os.File, e Env) (*os.File, bool, error) {
	rules := disk.Rules{Accept: func(it *disk.Foreign) bool {
		if !e.Had(d) && !(it.Guest && e.SaysRaw(d)) {
			return false
		}
		e.Notify(it.Warning())
		return true
	}}
	// Of one that the guest has had, the tables are the guest's own, and what is cut off is not a download
	// that was: a jail at each start would cost more than it is good for.
	if !e.Had(d) && !d.Layer {
		rules.Tables = e.ReadTables
	}
	f, made, err := disk.OpenBy(d, rules)
	if err == nil {
		if has := disk.SizeIn(d, f); !made && has > 0 && has < d.Create {
			e.Notify(fmt.Sprintf("disk %q (%s) has %s and its size says %s: it stays as it is, and skep disk grow makes it larger",
				d.Label, d.Path, has, d.Create))
		}
		return f, made, nil
	}
	info, serr := os.Stat(d.Path)
	for name, f := range files {
		other, isDisk := strings.CutPrefix(name, "disk:")
		if serr != nil || !isDisk {
			continue
		}
		if has, herr := f.Stat(); herr == nil && os.SameFile(info, has) {
			return nil, made, fault.New(fault.Input, "a disk that is written to is given to a guest once", "use disk %q (%s): it is the same file as disk %q", d.Label, d.Path, other)
		}
	}
	return nil, made, err
}

// lookAtDisk opens a disk and keeps it, so that another one of the same file
// shows, as it does among those that are held. Of one that is still to be made
// there is the directory.
func lookAtDisk(d *plan.Disk, held, disks map[string]*os.File, e Env) error {
	if missing, err := disk.ToBeMade(d); missing || err != nil {
		return err
	}
	if _, err := os.Lstat(d.Path); d.Layer && errors.Is(err, fs.ErrNotExist) || d.Disposable {
		return nil // made with its base, which was looked at
	}
	all := maps.Clone(held)
	maps.Copy(all, disks)
	f, _, err := openDisk(d, all, e)
	if err == nil {
		disks["disk:"+d.Label] = f
	}
	return err
}
