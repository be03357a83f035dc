package cli

import (
	"cmp"
	"errors"
	"io/fs"
	"os"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/store"
)

// loadRemembered reads the file that a cell was started from where its name
// alone leads to none: skep up ./web.hcl, and from then on skep up web. It is
// nil without an error where the cell was not started from a file. What was
// started under a name of its own (run --name) keeps that.
func (a *app) loadRemembered(dirs host.Dirs, name string) (*cell.Cell, error) {
	st := store.View(dirs)
	s, held, err := st.ReadState(name)
	if err != nil || s.File == "" {
		return nil, nil
	}
	if name == "hello" && !held && !st.HasJournal(name) {
		return nil, nil // the built-in guest's, unless another runs by this name
	}
	if _, err := os.Stat(s.File); errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Input, "name the file, or put it into "+dirs.Config+"/cells",
			"find the cell %s: %s, which it was started from, is not there", name, s.File)
	}
	if err := trusted(s.File); err != nil {
		return nil, err // it is found by a name, so somebody else could have put it there meanwhile
	}
	c, err := a.load(dirs, s.File)
	if err != nil {
		return nil, err
	}
	// Where the name came from the file, a file that has become another cell's
	// is not this cell's any more.
	if inFile := cmp.Or(s.NameInFile, name); c.Name != inFile {
		return nil, fault.Cannot(fault.Input, "name the file that is meant", "use", s.File, "it holds the cell %q, not %q", c.Name, inFile)
	}
	if _, instance, is := cell.SplitInstance(name); is {
		src, _, err := readCellFile(s.File)
		if err != nil {
			return nil, err
		}
		return a.instanceOf(c, instance, src)
	}
	return renamed(c, name), nil
}

// renamed is the cell under another name, and with what follows from a name.
func renamed(c *cell.Cell, name string) *cell.Cell {
	if c.Name == name {
		return c
	}
	return c.Renamed(name)
}
