package cli

import (
	"errors"
	"io"
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
	"skep/internal/probe"
)

func (a *app) new() *cobra.Command {
	var stdout bool
	var fill cellfile.Filling
	cmd := &cobra.Command{
		Use:   "new NAME|FILE",
		Short: "Write a commented cell file",
		Long: `Write a commented cell file into the configuration directory, or to a path that
ends with .hcl. A file that is there is left alone.

--image names a disk image to boot with UEFI, raw or qcow2, or an installer's
ISO image, which is used where it is, or an image of the store. --disk makes a
new disk of that size beside the cell file at the first start, and may be given
more than once.`,
		Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.newCell(args[0], fill, stdout)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&stdout, "stdout", false, "write to standard output instead")
	f.StringVar(&fill.Memory, "memory", "", "the guest's memory, such as 2G")
	f.StringArrayVar(&fill.Disks, "disk", nil, "a new disk of this `size`, such as 20G; may be repeated")
	f.StringVar(&fill.Image, "image", "", "a disk `image` that is there, an installer's ISO image, or one in the store")
	return cmd
}

func (a *app) newCell(arg string, fill cellfile.Filling, stdout bool) error {
	name, path, err := newPath(probe.DirsFor(probe.Options{Dirs: a.dirs}), arg)
	if err != nil {
		return err
	}
	if fill.Image != "" {
		if _, err := a.images().Get(fill.Image); err == nil && !exists(fill.Image) {
			fill.Stored = true
		} else if err := lookAtImage(&fill); err != nil {
			return err
		}
	}
	src := cellfile.Filled(name, fill)
	if _, diags := parse(path, src); len(diags) > 0 {
		return fault.Fail(fault.Input, diags[0].Hint, "%s", diags[0].Summary)
	}
	if stdout {
		_, err := a.out.Write(src)
		return err
	}
	// The directory of cells is made where it is missing; one that a path names
	// may be a slip of the pen.
	if dir := filepath.Dir(path); isPath(arg) && !exists(dir) {
		return fault.Cannot(fault.Input, "mkdir -p "+dir, "write", path, "there is no directory %s", dir)
	}
	if err := a.writeNew(path, src); err != nil {
		return err
	}
	if name == "hello" {
		a.note("warning: from now on skep run hello runs the cell of this file and not the one that is built in")
	}
	return nil
}

// newPath is where a new cell's file goes, and the name of the cell.
func newPath(dirs host.Dirs, arg string) (name, path string, err error) {
	name, path = arg, arg
	if isPath(arg) {
		if filepath.Ext(path) != layout.CellSuffix {
			return "", "", fault.Cannot(fault.Input, "skep new web, or skep new ./web.hcl", "write", path, "a cell file's name ends in .hcl")
		}
		name = strings.TrimSuffix(filepath.Base(path), layout.CellSuffix)
	} else {
		path = dirs.CellFile(name)
	}
	return name, path, plainName(name)
}

// lookAtImage finds out what the image of --image is, and makes its path one
// that leads there from the cell file, wherever that is.
func lookAtImage(fill *cellfile.Filling) error {
	path, err := filepath.Abs(fill.Image)
	if err != nil {
		return fault.Wrap(fault.Input, err, "", "use the image %s", fill.Image)
	}
	f, err := os.Open(path)
	if err != nil {
		return fault.Wrap(fault.Input, pathCause(err), "", "use the image %s", path)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return fault.Cannot(fault.Input, "", "use the image", path, "it is not a regular file")
	}
	has := func(magic string, at int64) bool {
		b := make([]byte, len(magic))
		_, err := f.ReadAt(b, at)
		return (err == nil || errors.Is(err, io.EOF)) && string(b) == magic
	}
	fill.Image, fill.Format = path, cell.FormatRaw
	switch {
	case has("QFI\xfb", 0):
		fill.Format = cell.FormatQcow2
	case has("CD001", 0x8001):
		// Some installers are images for a disk as well: they begin with a boot
		// sector. As a disc they work everywhere and cannot be written to.
		fill.ISO = true
	}
	return nil
}

// pathCause is an error without the name of the call and of the file.
func pathCause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func (a *app) writeNew(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fault.Wrap(fault.Host, err, "", "write %s", path)
	}
	// Aside, so that a file with a name is a whole one; and with the mode that the user's umask leaves.
	f, err := os.OpenFile(aside(path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "write %s", path)
	}
	defer os.Remove(f.Name())
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = disk.Place(f.Name(), path)
	}
	if errors.Is(err, fs.ErrExist) {
		return fault.Cannot(fault.Input, "choose another name, or edit it; skep up starts it", "write", path, "it already exists")
	}
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "write %s", path)
	}
	a.printf("%s\n", cell.Printable(path))
	return nil
}
