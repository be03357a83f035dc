package cli

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"skep/internal/cell"
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
	if exists(t.to) || exists(t.st.StateDir(to)) {
		return t, fault.New(fault.Input, "choose another name; skep rm "+to+" forgets one that has no file any more", "%s %s: there is a cell %s already", verb, from, to)
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
	return t, nil
}

// renameCell moves a cell. Its new file is written first and its old one removed last, so that whatever
// happens there is a file that has what is kept of it.
func (a *app) renameCell(dirs host.Dirs, from, to string) error {
	t, err := a.twoOf(dirs, "rename", from, to)
	if err != nil {
		return err
	}
	defer t.unlock()
	text, err := cell.Changed(t.from, t.src, cell.Change{Name: to})
	if err != nil {
		return fault.Wrap(fault.Input, err, "", "rename %s", from)
	}
	if err := a.writeNew(t.to, text); err != nil {
		return err
	}
	had := t.st.HadPaths(from)
	old, kept := t.st.StateDir(from), t.st.StateDir(to)
	if exists(old) {
		if err := os.Rename(old, kept); err != nil {
			return errors.Join(fault.Wrap(fault.Host, err, "", "rename %s", from), os.Remove(t.to))
		}
		for i, p := range had {
			if rest, inside := strings.CutPrefix(p, old+string(filepath.Separator)); inside {
				had[i] = filepath.Join(kept, rest)
			}
		}
		if err := t.st.RememberDisks(to, had); err != nil {
			a.note("%v", err)
		}
	}
	if err := os.Remove(t.from); err != nil {
		return fault.Wrap(fault.Host, unwrapPath(err), "remove it by hand", "rename %s: its old file stays", from)
	}
	for _, other := range knownCells(dirs) {
		if slices.Contains(other.After, from) {
			a.note("%s comes after %s: write %s in its file", other.Name, from, to)
		}
	}
	return nil
}
