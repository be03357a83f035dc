package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/plan"
	"skep/internal/probe"
	"skep/internal/store"
)

// snapshots is one command about the snapshots of a cell.
type snapshots struct {
	a     *app
	ctx   context.Context
	dirs  host.Dirs
	st    *store.Store
	cell  *cell.Cell
	tag   string
	all   *store.Snapshots
	runs  bool
	facts host.Facts
}

// withSnapshots does something under the lock of a cell's snapshots, with the cell's own where it does not
// run: ten at once come one after the other.
func (a *app) withSnapshots(ctx context.Context, arg, tag string, do func(snapshots) error) error {
	if err := cell.ValidImage(tag); err != nil || tag[0] < 'A' {
		return fault.Fail(fault.Input, "a letter, then letters, digits, dots, - and _, 64 at most", "invalid tag %q", tag)
	}
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	a.adoptFirst(ctx, dirs, arg)
	c, err := a.loadRunning(dirs, arg)
	if err != nil {
		return err
	}
	s := snapshots{a: a, ctx: ctx, dirs: dirs, cell: c, tag: tag}
	if s.st, err = store.Open(dirs); err != nil {
		return err
	}
	lock, err := s.st.LockSnapshots(c.Name)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if s.runs = s.st.Held(c.Name); !s.runs {
		own, err := s.st.LockCell(c.Name)
		if err != nil {
			return err
		}
		defer own.Unlock()
	}
	if s.facts, err = probe.ForTools(probe.Options{Dirs: a.dirs}); err != nil {
		return err
	}
	if s.all, err = s.st.Snapshots(c.Name); err != nil {
		return err
	}
	if s.all.Making != "" {
		if err := s.undo(s.all.Making); err != nil {
			return err
		}
		s.all.Making = ""
	}
	return do(s)
}

func (s snapshots) write() error { return s.st.WriteSnapshots(s.cell.Name, s.all) }

// ask has the hypervisor of a cell that runs do it.
func (s snapshots) ask(do, tag string) error {
	cl, err := keeper.Dial(s.st.RunDir(s.cell.Name))
	if err != nil {
		return fault.Wrap(fault.Host, err, "skep ps shows what it does", "%s of %s", do, s.cell.Name)
	}
	defer cl.Close()
	return cl.Snapshot(s.ctx, do, tag)
}

// undo removes what is there of a snapshot that was not finished; that there is nothing is no error. What
// cannot be removed now stays written down, for the next command.
func (s snapshots) undo(tag string) error {
	hint := "the next command about snapshots of " + s.cell.Name + " tries it again"
	for _, d := range disksOfCell(s.dirs, s.cell) {
		if d.ReadOnly || d.Type != plan.DiskFile || !exists(d.Path) {
			continue
		}
		// One that was begun while the cell did not run is, of some disks, a copy.
		if s.runs && d.Format == cell.FormatQcow2 {
			continue
		}
		if err := s.one("-d", tag, d); err != nil && !strings.Contains(err.Error(), notInImage) {
			return fault.Wrap(fault.Host, err, hint, "remove half of the snapshot %s", tag)
		}
	}
	if !s.runs {
		return nil
	}
	if err := s.ask("snapshot-delete", tag); err != nil {
		return fault.Wrap(fault.Host, err, hint, "remove half of the snapshot %s", tag)
	}
	return nil
}

// notInImage is what qemu-img says where there is no snapshot of that tag.
const notInImage = "snapshot not found"

func (s snapshots) make() error {
	if _, there := s.all.Find(s.tag); there {
		return fault.New(fault.Input, "choose another tag, or skep snapshot rm "+s.cell.Name+" "+s.tag, "make the snapshot %s of %s: it is there already", s.tag, s.cell.Name)
	}
	if err := halfReverted(s.st, s.cell.Name); err != nil {
		return err
	}
	one := store.Snapshot{Tag: s.tag, Memory: s.runs}
	disks, err := s.disks(nil)
	if err != nil {
		return err
	}
	for _, d := range disks {
		one.Disks = append(one.Disks, d.Label)
	}
	if one.Board, err = s.board(); err != nil {
		return err
	}
	// Before anything is touched: what a crash leaves is removed by the next command.
	s.all.Making = s.tag
	if err := s.write(); err != nil {
		return err
	}
	defer s.a.slow("saving %s", s.cell.Name)()
	begin := time.Now()
	if s.runs {
		err = s.ask("snapshot-save", s.tag)
	} else {
		err = s.each("-c", disks)
	}
	if err != nil {
		if uerr := s.undo(s.tag); uerr != nil {
			return errors.Join(err, uerr)
		}
		s.all.Making = ""
		return errors.Join(err, s.write())
	}
	one.Time = time.Now().UTC().Truncate(time.Second)
	s.all.All, s.all.Making = append(s.all.All, one), ""
	if err := s.write(); err != nil {
		return err
	}
	s.a.printf("%s\n", s.tag)
	if s.runs {
		s.a.note("%s stood still for %s at most", s.cell.Name, time.Since(begin).Round(time.Millisecond))
	}
	return nil
}

func (s snapshots) find() (store.Snapshot, error) {
	one, there := s.all.Find(s.tag)
	if !there {
		return one, fault.New(fault.Input, "skep snapshot ls "+s.cell.Name+" lists them", "find the snapshot %s of %s", s.tag, s.cell.Name)
	}
	return one, nil
}

func (s snapshots) revert() error {
	one, err := s.find()
	if err != nil {
		return err
	}
	switch {
	case one.Memory && !s.runs:
		return fault.New(fault.Input, "skep up "+s.cell.Name+" starts it, then revert", "go back to %s: it has the memory of %s, which does not run", s.tag, s.cell.Name)
	case !one.Memory && s.runs:
		return fault.New(fault.Input, "skep down "+s.cell.Name+" stops it", "go back to %s: it has the disks of %s alone, which runs", s.tag, s.cell.Name)
	}
	board, err := s.board()
	if err != nil {
		return err
	}
	if board != one.Board {
		return fault.New(fault.Input, "make it again with the cell as it is", "go back to %s: it was made with another QEMU, other devices or other bases", s.tag)
	}
	if s.runs {
		begin := time.Now()
		if err := s.ask("snapshot-load", s.tag); err != nil {
			return err
		}
		s.a.note("%s went back to %s in %s; its clock goes on from there", s.cell.Name, s.tag, time.Since(begin).Round(time.Millisecond))
		return nil
	}
	disks, err := s.disks(one.Disks)
	if err != nil {
		return err
	}
	// Until all of them are back the cell is not started.
	s.all.Reverting = s.tag
	if err := s.write(); err != nil {
		return err
	}
	defer s.a.slow("going back to %s", s.tag)()
	if err := s.each("-a", disks); err != nil {
		return err
	}
	s.all.Reverting = ""
	return s.write()
}

func (s snapshots) remove() error {
	one, err := s.find()
	if err != nil {
		return err
	}
	if s.all.Reverting == s.tag {
		return fault.New(fault.Input, "skep revert "+s.cell.Name+" "+s.tag+" finishes it", "remove %s: going back to it was cut off", s.tag)
	}
	s.all.All = slices.DeleteFunc(s.all.All, func(o store.Snapshot) bool { return o.Tag == s.tag })
	s.all.Making = s.tag // what is left of it goes with the next command
	if err := s.write(); err != nil {
		return err
	}
	if s.runs {
		err = s.ask("snapshot-delete", s.tag)
	} else {
		disks, derr := s.disks(one.Disks)
		if err = derr; err == nil {
			err = s.each("-d", disks)
		}
	}
	if err != nil {
		return err
	}
	s.all.Making = ""
	return s.write()
}

// halfReverted refuses a cell whose disks are not all of one moment.
func halfReverted(st *store.Store, name string) error {
	all, err := st.Snapshots(name)
	if err != nil || all.Reverting == "" {
		return err
	}
	return fault.New(fault.Input, "skep revert "+name+" "+all.Reverting+" finishes it", "start %s: going back to %s was cut off", name, all.Reverting)
}

// board says which hypervisor, devices and bases a snapshot belongs to. Disks alone belong to their bases.
func (s snapshots) board() (string, error) {
	h := sha256.New()
	for _, d := range s.cell.Disks {
		if d.Layered() {
			note := strings.TrimSuffix(plan.DiskOf(d, layersOf(s.dirs, s.cell.Name)).Path, "."+string(layersOf(s.dirs, s.cell.Name).Format)) + ".json"
			b, _ := os.ReadFile(note)
			fmt.Fprintf(h, "%s %s %s %s\n", d.Label, d.Base, d.Image, b)
		}
	}
	if s.runs {
		detail, _, err := s.st.ReadDetail(s.cell.Name)
		if err != nil || detail.Plan == nil {
			return "", fault.Wrap(fault.Host, err, "", "read the plan of %s", s.cell.Name)
		}
		for _, q := range plan.Specs[*plan.Hypervisor](detail.Plan) {
			fmt.Fprintf(h, "%q\n", q.Argv)
		}
		facts, err := s.a.probe(s.ctx, false)
		if err != nil {
			return "", err
		}
		if facts.Linux != nil && facts.Linux.QEMU != nil {
			fmt.Fprintf(h, "%v\n", facts.Linux.QEMU.Version)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// disks are those that a guest writes to and that are there; labels names some of them.
func (s snapshots) disks(labels []string) (some []*plan.Disk, err error) {
	for _, d := range disksOfCell(s.dirs, s.cell) {
		if d.ReadOnly || d.Type == plan.DiskISO || d.Disposable && !s.runs || labels != nil && !slices.Contains(labels, d.Label) {
			continue
		}
		if d.Type == plan.DiskZvol || d.Type == plan.DiskDevice {
			return nil, fault.New(fault.Input, "zfs snapshot does it for a volume", "snapshot disk %q of %s: it is not a file", d.Label, s.cell.Name)
		}
		if exists(d.Path) {
			some = append(some, d)
		} else if labels != nil {
			return nil, fault.New(fault.Input, "", "find disk %q (%s), of which %s is a snapshot", d.Label, d.Path, s.tag)
		}
	}
	if len(some) == 0 {
		return nil, fault.New(fault.Input, "skep up "+s.cell.Name+" makes its disks", "snapshot %s: there is no disk that it writes to", s.cell.Name)
	}
	return some, nil
}

// each does the same to every disk, as qemu-img snapshot calls it: -c, -a or -d.
func (s snapshots) each(do string, disks []*plan.Disk) error {
	for _, d := range disks {
		if err := s.one(do, s.tag, d); err != nil {
			keeper.NameHolders(s.st, err)
			return err
		}
	}
	return nil
}

// copyOf is where a snapshot of a disk lies that cannot hold one itself.
func (s snapshots) copyOf(tag string, d *plan.Disk) string {
	return filepath.Join(s.st.StateDir(s.cell.Name), "layer-"+d.Label+"@"+tag+".raw")
}
