package cli

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/probe"
	"skep/internal/store"
)

// cloneOf is the cell that begins from a template under a name. What that is a name or an instance of may be
// a cell with a file: then it is that cell, on the template's board and disks.
func (a *app) cloneOf(dirs host.Dirs, from, arg string) (*cell.Cell, error) {
	t, err := a.templates().Get(from)
	if err != nil {
		return nil, err
	}
	ref := cell.TemplateRef{Name: t.Name, Dir: a.templates().Dir(t.Name)}
	of, instance, is := split(arg)
	name := arg
	base := t.Cell
	if _, err := os.Lstat(dirs.CellFile(of)); isPath(of) || err == nil {
		if base, err = a.load(dirs, of); err != nil {
			return nil, err
		}
		name = base.Name
		if is {
			name += "@" + instance
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.Input, err, "", "find the cell %s", arg)
	}
	if err := validName(name); err != nil {
		return nil, err
	}
	if err := keepable(base); err != nil {
		return nil, err
	}
	c := base.Renamed(name).Clone(ref, t.Cell)
	if same := frozenDisks(t.Cell); !slices.Equal(same, frozenDisks(c)) {
		return nil, fault.New(fault.Input, "make it again with the cell as it is", "start %s: the template %s has other disks", name, t.Name)
	}
	return c, nil
}

// frozenDisks are the labels of disks that a clone has from its template.
func frozenDisks(c *cell.Cell) (labels []string) {
	for _, d := range c.Disks {
		if d.Frozen != "" || !d.ReadOnly && d.ISO == "" {
			labels = append(labels, d.Label+" "+d.Frozen)
		}
	}
	return labels
}

// freeClone is the first name T@N of a template's that no cell has.
func freeClone(dirs host.Dirs, from string) string {
	st := store.View(dirs)
	for n := 1; ; n++ {
		name := from + "@" + strconv.Itoa(n)
		if !st.Held(name) && !st.HasJournal(name) {
			return name
		}
	}
}

// cloned is a source of a clone.
func (a *app) cloned(from, arg string) (source, error) {
	if !haveTemplates {
		return nil, noTemplates()
	}
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	if arg == "" {
		arg = freeClone(dirs, from)
	}
	c, err := a.cloneOf(dirs, from, arg)
	return func(host.Facts) (*cell.Cell, error) { return c, err }, err
}

// readJSONFile reads a small file of skep's own.
func readJSONFile(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
