package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/layer"
	"skep/internal/layout"
	"skep/internal/probe"
	"skep/internal/store"
)

// maxCellFile bounds what is read of a cell file.
const maxCellFile = 1 << 20

// isPath tells a path to a cell file from a name.
func isPath(arg string) bool {
	_, _, instance := splitFile(arg)
	return strings.ContainsRune(arg, '/') || strings.HasSuffix(arg, layout.CellSuffix) || arg == "-" || instance
}

// load finds and reads the cell that a command line names: a path to a file,
// a name in the configuration directory, or the built-in "hello". A file of
// that name in the configuration directory wins over the built-in cell.
func (a *app) load(dirs host.Dirs, arg string) (*cell.Cell, error) {
	return a.loadFor(dirs, arg, false)
}

// loadFor is load; asNamed keeps paths as they are named, so that what is made
// of them is the same on every machine.
func (a *app) loadFor(dirs host.Dirs, arg string, asNamed bool) (*cell.Cell, error) {
	of, instance, isInstance := split(arg)
	path := of
	if !isPath(arg) {
		if err := validName(arg); err != nil {
			return nil, err
		}
		if c := runningClone(dirs, arg); c != nil {
			return c, nil
		}
		path = dirs.CellFile(arg)
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return a.loadWithout(dirs, arg, path)
		}
		if err := trusted(path); err != nil {
			return nil, err
		}
	}
	src, abs, err := readCellFile(path)
	if err != nil {
		return nil, err
	}
	if !asNamed {
		path = abs
	}
	c, diags := parse(path, src)
	if len(diags) > 0 {
		_ = diags.Render(a.err, src)
		return nil, shownError{fault.Input}
	}
	if !isPath(arg) && c.Name != of {
		return nil, fault.Cannot(fault.Input, "rename the file or the cell", "use", path, "it holds the cell %q, not %q", c.Name, of)
	}
	if isInstance {
		return a.instanceOf(c, instance, src)
	}
	return c, nil
}

// runningClone is a cell that began from a template and runs: no file describes it. It is nil without one.
func runningClone(dirs host.Dirs, name string) *cell.Cell {
	st := store.View(dirs)
	if !st.Held(name) {
		return nil
	}
	s, _, err := st.ReadDetail(name)
	if err != nil || s.Cell == nil || s.Cell.Template == nil {
		return nil
	}
	return s.Cell
}

// loadWithout finds the cell of a name that has no file in the configuration
// directory, which would be path.
func (a *app) loadWithout(dirs host.Dirs, name, path string) (*cell.Cell, error) {
	if c, err := a.loadRemembered(dirs, name); c != nil || err != nil {
		return c, err
	}
	of, instance, isInstance := cell.SplitInstance(name)
	if isInstance && of != "hello" {
		// The first instance of a cell that was started by the path of its file.
		if s, _, err := store.View(dirs).ReadState(of); err == nil && s.File != "" {
			return a.load(dirs, s.File+"@"+instance)
		}
	}
	switch {
	case of == "hello" && isInstance:
		return a.instanceOf(cell.Hello(), instance, nil)
	case of == "hello":
		return cell.Hello(), nil
	}
	return nil, fault.Cannot(fault.Input, a.knownCells(dirs), "find the cell", name, "there is no %s", path)
}

// peek reads a cell file for what another cell must know of it, without a word
// about mistakes; nil where it cannot be read.
func peek(dirs host.Dirs, arg string) *cell.Cell {
	if arg == "-" {
		return nil // can be read once
	}
	path, instance, isInstance := split(arg)
	if !isPath(arg) {
		path = dirs.CellFile(arg)
		if trusted(path) != nil {
			return nil
		}
	}
	src, abs, err := readCellFile(path)
	if err != nil {
		return nil
	}
	c, diags := parse(abs, src)
	if len(diags) > 0 {
		return nil
	}
	if isInstance {
		return c.Renamed(c.Name + "@" + instance)
	}
	return c
}

// parse reads a cell file with the names of the layers known.
func parse(path string, src []byte) (*cell.Cell, cell.Diagnostics) {
	o := cell.Options{}
	for _, l := range layer.Table {
		o.Layers = append(o.Layers, string(l.ID))
	}
	return o.Parse(path, src)
}

// readCellFile reads a regular file, bounded, and returns its absolute path.
func readCellFile(path string) ([]byte, string, error) {
	cannot := func(err error, hint string) error {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return fault.Wrap(fault.Input, err, hint, "read the cell file %s", path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, "", cannot(err, "")
	}
	f, err := os.OpenFile(abs, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, "", cannot(err, "skep new NAME writes one")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, "", cannot(err, "")
	}
	if !info.Mode().IsRegular() {
		return nil, "", fault.Cannot(fault.Input, "", "read the cell file", path, "it is not a regular file (%s)", info.Mode())
	}
	src, err := io.ReadAll(io.LimitReader(f, maxCellFile+1))
	if err != nil {
		return nil, "", cannot(err, "")
	}
	return src, abs, nil
}

// validName is cell.ValidInstance as an error of the command line.
func validName(name string) error {
	err := cell.ValidInstance(name)
	switch _, _, is := cell.SplitInstance(name); {
	case err == nil:
		return nil
	case is:
		return fault.Fail(fault.Input, "an instance is NAME@ and letters, digits, - and _, 32 characters in all", "%v", err)
	}
	return fault.Fail(fault.Input, "a name is a letter and then at most 31 letters, digits, - and _", "%v", err)
}

// cellFiles lists the names in the configuration directory, sorted.
func cellFiles(dirs host.Dirs) []string {
	entries, err := os.ReadDir(dirs.CellFiles())
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), layout.CellSuffix); ok && cell.ValidName(name) == nil {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

func (a *app) knownCells(dirs host.Dirs) string {
	names := cellFiles(dirs)
	if len(names) == 0 {
		return "skep new NAME writes a cell file; hello is built in"
	}
	if len(names) > 8 {
		names = append(names[:8], "…")
	}
	return "there are: " + strings.Join(names, ", ") + "; hello is built in"
}

// known lists every cell there is anything to say about: with a file, running,
// or remembered.
func known(dirs host.Dirs) ([]string, error) {
	names, err := store.View(dirs).Names()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, n := range names {
		seen[n] = true
	}
	for _, n := range cellFiles(dirs) {
		if !seen[n] {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	return names, nil
}

// namesOf settles the cells that a command with NAME… or --all means.
func (a *app) namesOf(args []string, all bool, each func() ([]string, error)) ([]string, error) {
	switch {
	case all && len(args) > 0:
		return nil, usage("--all cannot be combined with names")
	case all:
		return each()
	case len(args) == 0:
		return nil, usage("no cell given; name one or use --all")
	}
	return a.expand(probe.DirsFor(probe.Options{Dirs: a.dirs}), args)
}
