package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/cellfile"
	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/layout"
	"skep/internal/plan"
	"skep/internal/probe"
	"skep/internal/store"
)

func (a *app) clone() *cobra.Command {
	return &cobra.Command{
		Use:   "clone NAME NEW",
		Short: "Copy a cell that does not run, with its disks",
		Long: `Copy a cell that does not run under another name: its file, the image files that it
writes, each to a file beside it, and its UEFI variables. Where the file system can
share blocks, as XFS and btrfs, that is a moment. Network cards get addresses of
their own. What is only read is shared. A disk on an image or a base begins anew
from that, and so do disks for results.

ZFS volumes and raw devices are not copied; skep says which.`,
		ValidArgsFunction: a.completeNames,
		Args:              twoNames("clone"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			return a.cloneCell(cmd.Context(), dirs, args[0], args[1])
		},
	}
}

func (a *app) cloneCell(ctx context.Context, dirs host.Dirs, from, to string) (err error) {
	t, err := a.twoOf(dirs, "clone", from, to)
	if err != nil {
		return err
	}
	defer t.unlock()
	copies, err := copiesOf(t.c, to)
	if err != nil {
		return err
	}
	change := cellfile.Change{Name: to, Disks: map[string]string{}, OwnMACs: true}
	u := &store.Unfinished{Verb: "clone", From: from, To: to}
	var disks []cell.Disk
	for _, c := range copies {
		change.Disks[c.disk.Label] = c.to
		if exists(c.disk.File) { // else it is made at the first start
			disks = append(disks, c.disk)
			u.Copies = append(u.Copies, store.Copied{Aside: aside(c.to), To: c.to})
		}
	}
	text, err := cellfile.Changed(t.from, t.src, change)
	if err != nil {
		return fault.Wrap(fault.Input, err, "", "clone %s", from)
	}
	if err := t.st.Begin(u); err != nil {
		return err
	}
	if err := a.makeClone(ctx, t, u, disks); err != nil {
		return errors.Join(err, undoClone(t.st, u))
	}
	a.sayClone(t.c)
	if err := a.writeNew(t.to, text); err != nil {
		return errors.Join(err, undoClone(t.st, u))
	}
	crashPoint("clone:file")
	return t.st.Done(u)
}

// makeClone copies what a clone has of its own. Copies get their names when all of them are whole, and it is
// written down which files they are.
func (a *app) makeClone(ctx context.Context, t twoCells, u *store.Unfinished, disks []cell.Disk) error {
	for i, d := range disks {
		c := &u.Copies[i]
		if err := a.copyNow(ctx, t.st, plan.DiskOf(d, layersOf(t.st.Dirs(), u.From)), c.Aside, true, t.c.Jail.AllowMissing); err != nil {
			return err
		}
		if err := numbersOf(c.Aside, c); err != nil {
			return err
		}
		crashPoint("clone:copied")
	}
	if err := a.cloneVars(ctx, t, u.From, u.To); err != nil {
		return err
	}
	crashPoint("clone:vars")
	if err := t.st.Begin(u); err != nil {
		return err
	}
	for _, c := range u.Copies {
		if err := disk.Place(c.Aside, c.To); err != nil {
			return fault.Wrap(fault.Host, err, "choose another name", "give the copy its name %s", c.To)
		}
		if err := os.Remove(c.Aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		crashPoint("clone:placed")
	}
	return nil
}

// diskTo is a disk and the file that it is copied to.
type diskTo struct {
	disk cell.Disk
	to   string
}

// copiesOf are the disks that a clone needs of its own.
func copiesOf(c *cell.Cell, to string) (copies []diskTo, err error) {
	for _, d := range c.Disks {
		switch {
		case d.ReadOnly || d.ISO != "" || d.Layered():
		case d.Zvol != "":
			return nil, fault.New(fault.Input, "zfs snapshot and zfs clone make one; write a file for it by hand", "clone %s: disk %q is a ZFS volume", c.Name, d.Label)
		case d.Device != "":
			return nil, fault.New(fault.Input, "a device of the host is one cell's", "clone %s: disk %q is a raw device", c.Name, d.Label)
		default:
			beside := besides(d.File, c.Name, to)
			if exists(beside) {
				return nil, fault.New(fault.Input, "remove it, or choose another name", "clone %s: %s already exists", c.Name, beside)
			}
			copies = append(copies, diskTo{d, beside})
		}
	}
	return copies, nil
}

// besides is the name of a copy beside a file: with the new cell's name in the place of the old one's.
func besides(file, from, to string) string {
	base := filepath.Base(file)
	name := strings.ReplaceAll(base, from, to)
	if name == base {
		name = to + "-" + base
	}
	return filepath.Join(filepath.Dir(file), name)
}

// cloneVars copies the UEFI variables, where there are some.
func (a *app) cloneVars(ctx context.Context, t twoCells, from, to string) error {
	vars := filepath.Join(t.st.StateDir(from), layout.VarsOf(t.c.SecureBoot))
	if !exists(vars) {
		return nil
	}
	if err := t.st.MakeStateDir(to); err != nil {
		return err
	}
	copied := filepath.Join(t.st.StateDir(to), layout.VarsOf(t.c.SecureBoot))
	d := &plan.Disk{Label: varsName, Type: plan.DiskFile, Path: vars, Format: cell.FormatRaw}
	return a.copyNow(ctx, t.st, d, copied, true, t.c.Jail.AllowMissing)
}

// sayClone says what of the copy a person has to look at.
func (a *app) sayClone(c *cell.Cell) {
	if c.Screen != nil && c.Screen.Listen != "" {
		a.note("the screen of both is on %s: one of them at a time can run, or give one another address", c.Screen.Listen)
	}
	if c.GDB != nil {
		a.note("the debug stub of both is on %s: one of them at a time can run, or give one another address", c.GDB.Listen)
	}
	for _, n := range c.NICs {
		if n.Tap != "" {
			a.note("network card %q of both is on %s: one of them at a time can run, or give one another tap", n.Label, n.Tap)
		}
	}
	if c.TPM != nil {
		a.note("the clone has a TPM of its own, which knows no key of the other's")
	}
	for _, d := range c.Disks {
		if d.Layered() {
			a.note("disk %q of the clone begins anew from its base", d.Label)
		}
	}
}
