package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/probe"
	"skep/internal/store"
	"skep/internal/template"
)

// startedAlready says that a cell which is to be started runs: up has nothing
// to do. One that is on its way down is no success. Where the file describes
// another cell by now, nobody should believe that it has taken effect.
func (a *app) startedAlready(st *store.Store, c *cell.Cell) error {
	s, _, err := st.ReadState(c.Name)
	switch {
	case err == nil && s.State == store.Stopping:
		return fault.Cannot(fault.Busy, "start it again once skep ps shows that it has stopped", "start", c.Name, "it is stopping")
	case err == nil && s.State == store.Crashed:
		a.note("%s has crashed; its keeper is already going to start it again", c.Name)
	default:
		a.note("%s is already running", c.Name)
	}
	if differs := fileDiffers(st, c.Name, s.CellDigest, c); len(differs) > 0 {
		a.note("%s: %s differs from what runs: %s; %s", c.Name, orDash(c.File), someOf(differs), a.howToApply(c))
	}
	return nil
}

// howToApply says what makes a running cell what its file describes. A name
// leads to the file in the configuration directory, whichever was asked for.
func (a *app) howToApply(c *cell.Cell) string {
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	if f := fileOf(dirs, c.Name, ""); f != "" && f != c.File {
		return fmt.Sprintf("skep down %s and then skep up %s apply it", c.Name, c.File)
	}
	return "skep restart " + c.Name + " applies it"
}

// fileDiffers names what a cell file says otherwise than the cell that runs,
// whose digest was that at its start.
func fileDiffers(st *store.Store, name, digest string, c *cell.Cell) []string {
	if digest == c.Digest() {
		return nil // the kept cell is a large file, and most are asked about in a list
	}
	s, _, err := st.ReadDetail(name)
	if err != nil || s.Cell == nil {
		return nil // it is starting, or not to be read: what it holds is unknown
	}
	if t := s.Cell.Template; t != nil && !t.Make {
		// A clone has its disks and addresses from the template, whatever its file says of them.
		kept, err := template.View(st.Dirs()).Get(t.Name)
		if err != nil {
			return nil
		}
		c = c.Clone(*t, kept.Cell)
	}
	return s.Cell.Differences(c)
}

// fileOf is the file that a name leads to: the one in the configuration
// directory, or else the one that the cell was started from.
func fileOf(dirs host.Dirs, name, startedFrom string) string {
	if in := dirs.CellFile(name); exists(in) {
		return in
	}
	return startedFrom
}

// noteFile reads the file of a cell as it is now. One with mistakes is said to
// have them, and one that differs from what runs to do so: nobody should be
// surprised by the next start.
func (c *cellJSON) noteFile(dirs host.Dirs) {
	path := fileOf(dirs, c.Name, c.File)
	if path == "" {
		return
	}
	src, abs, err := readCellFile(path)
	if err != nil {
		return // gone, or not to be read by this user: not a mistake in it
	}
	now, diags := parse(abs, src)
	switch {
	case len(diags) > 0:
		c.FileError = diags[0].Error()
	case c.KeeperPID != 0 && now.Name != c.Name:
		now = now.Renamed(c.Name)
		fallthrough
	case c.KeeperPID != 0:
		c.Differences = fileDiffers(store.View(dirs), c.Name, c.digest, now)
		c.FileDiffers, c.differing = len(c.Differences) > 0, abs
	}
}

// differsText says for people that the file differs from what runs.
func (c cellJSON) differsText() string {
	if !c.FileDiffers {
		return ""
	}
	return filepath.Base(c.differing) + " differs from what runs: " + someOf(c.Differences)
}

// someOf are as many of a list as a line can hold.
func someOf(names []string) string {
	const most = 4
	if len(names) <= most+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
