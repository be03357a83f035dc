package cli

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/cellfile"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/probe"
	"skep/internal/store"
)

func (a *app) rename() *cobra.Command {
	return &cobra.Command{
		Use:   "rename OLD NEW",
		Short: "Give a cell that does not run another name",
		Long: `Give a cell that does not run another name: its file in the configuration directory,
the name in it, and what is kept of it (logs, UEFI variables, layers, results, the
addresses of its network cards) go with it. The files of disks stay where they are.
Other cells that come after it are named; their files stay as they are.`,
		ValidArgsFunction: a.completeNames,
		Args:              twoNames("rename"),
		RunE: func(_ *cobra.Command, args []string) error {
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			return a.renameCell(dirs, args[0], args[1])
		},
	}
}

func twoNames(verb string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 2 {
			return usage("run skep %s: name a cell and its new name", verb)
		}
		for _, name := range args {
			if isPath(name) {
				return usage("run skep %s: %q is a path, and cells of the configuration directory have names", verb, name)
			}
			if err := plainName(name); err != nil {
				return err
			}
		}
		return nil
	}
}

// twoCells are a cell, its file, and the place of another; the locks of both names are held.
type twoCells struct {
	st       *store.Store
	c        *cell.Cell
	from, to string // the files
	src      []byte
	again    bool // it was begun before, and cut off
	unlock   func()
}

// twoOf reads one cell and sees that there is no other of the new name. Neither can be started meanwhile.
func (a *app) twoOf(dirs host.Dirs, verb, from, to string) (t twoCells, err error) {
	t.from, t.to = dirs.CellFile(from), dirs.CellFile(to)
	if t.c, err = a.load(dirs, from); err != nil {
		return t, err
	}
	if t.c.NameInFile != "" {
		return t, fault.New(fault.Input, "skep check "+from+" says what the file calls it", "%s %s: its file has another name in it", verb, from)
	}
	if t.src, err = os.ReadFile(t.from); err != nil {
		return t, fault.Wrap(fault.Input, unwrapPath(err), "", "read %s", t.from)
	}
	if t.st, err = store.Open(dirs); err != nil {
		return t, err
	}
	for _, name := range []string{from, to} {
		if t.st.Held(name) || keeper.Orphaned(t.st, name) || t.st.HasJournal(name) {
			return t, fault.New(fault.Input, "skep down "+name+" stops it", "%s %s: %s is running", verb, from, name)
		}
	}
	one, err := t.st.LockCell(from)
	if err != nil {
		return t, err
	}
	two, err := t.st.LockCell(to)
	if err != nil {
		one.Unlock()
		return t, err
	}
	t.unlock = func() { two.Unlock(); one.Unlock() }
	if err = t.settle(verb, from, to); err == nil && !t.again && (exists(t.to) || exists(t.st.StateDir(to))) {
		err = fault.New(fault.Input, "choose another name; skep rm "+to+" forgets one that has no file any more", "%s %s: there is a cell %s already", verb, from, to)
	}
	if err != nil {
		t.unlock()
	}
	return t, err
}

// settle deals with what was begun with that name and cut off: a clone is undone, unless it was finished, and
// a rename is done again.
func (t *twoCells) settle(verb, from, to string) error {
	u, err := t.st.Unfinished(to)
	if u == nil {
		return err
	}
	if u.Verb == "rename" {
		if t.again = verb == "rename" && u.From == from; t.again {
			return nil
		}
		return fault.New(fault.Input, "skep rename "+u.From+" "+to+" finishes it", "%s %s: renaming %s to %s was cut off", verb, from, u.From, to)
	}
	if exists(t.to) { // the file is the last that a clone makes
		return t.st.Done(u)
	}
	return undoClone(t.st, u)
}

// renameCell moves a cell. Its new file is written first and its old one removed last, so that whatever
// happens there is a file that has what is kept of it.
func (a *app) renameCell(dirs host.Dirs, from, to string) error {
	if done, err := finishedRename(dirs, from, to); done || err != nil {
		return err
	}
	t, err := a.twoOf(dirs, "rename", from, to)
	if err != nil {
		return err
	}
	defer t.unlock()
	text, err := cellfile.Changed(t.from, t.src, cellfile.Change{Name: to})
	if err != nil {
		return fault.Wrap(fault.Input, err, "", "rename %s", from)
	}
	// The new file of one that was cut off is that text, or somebody has written another one meanwhile.
	if there, err := os.ReadFile(t.to); err == nil && !bytes.Equal(there, text) {
		return fault.New(fault.Input, "compare the two; without "+t.to+" it is written again",
			"rename %s: the file of %s says something else", from, to)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Host, unwrapPath(err), "", "read %s", t.to)
	}
	u := &store.Unfinished{Verb: "rename", From: from, To: to}
	if err := t.st.Begin(u); err != nil {
		return err
	}
	crashPoint("rename:begun")
	if !exists(t.to) {
		if err := a.writeNew(t.to, text); err != nil {
			return errors.Join(err, t.st.Done(u))
		}
	}
	crashPoint("rename:file")
	if err := moveState(a, t.st, from, to); err != nil {
		return errors.Join(fault.Wrap(fault.Host, err, "", "rename %s", from), os.Remove(t.to), t.st.Done(u))
	}
	crashPoint("rename:state")
	if err := os.Remove(t.from); err != nil {
		return fault.Wrap(fault.Host, unwrapPath(err), "remove it by hand", "rename %s: its old file stays", from)
	}
	crashPoint("rename:removed")
	if err := t.st.Done(u); err != nil {
		return err
	}
	for _, other := range knownCells(dirs) {
		if slices.Contains(other.After, from) {
			a.note("%s comes after %s: write %s in its file", other.Name, from, to)
		}
	}
	return nil
}

// finishedRename says whether nothing is left to do of a rename that was cut off.
func finishedRename(dirs host.Dirs, from, to string) (bool, error) {
	st := store.View(dirs)
	u, err := st.Unfinished(to)
	if u == nil || u.Verb != "rename" || u.From != from || exists(dirs.CellFile(from)) {
		return false, err
	}
	for _, name := range []string{from, to} {
		l, err := st.LockCell(name)
		if err != nil {
			return false, err
		}
		defer l.Unlock()
	}
	return true, st.Done(u)
}

// moveState moves what is kept of a cell, where there is something.
func moveState(a *app, st *store.Store, from, to string) error {
	old, kept := st.StateDir(from), st.StateDir(to)
	if exists(old) {
		if err := os.Rename(old, kept); err != nil {
			return err
		}
	}
	if !exists(kept) {
		return nil
	}
	had := st.HadPaths(to)
	for i, p := range had {
		if rest, inside := strings.CutPrefix(p, old+string(filepath.Separator)); inside {
			had[i] = filepath.Join(kept, rest)
		}
	}
	if err := st.RememberDisks(to, had); err != nil {
		a.note("%v", err)
	}
	return nil
}
