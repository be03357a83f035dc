package plan

import (
	"strconv"

	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/layout"
)

// Layer is the cell's own layer on a base that is only read, and the base itself,
// opened and locked by the keeper. A layer holds the guest's data and stays; a
// disposable one is made at each start and goes with the cell.
type Layer struct {
	Label      string          `json:"label"`
	Path       string          `json:"path"`
	Format     cell.DiskFormat `json:"format"` // qcow2; on FreeBSD raw, a copy
	Base       string          `json:"base"`
	BaseFormat cell.DiskFormat `json:"base_format"`
	Image      string          `json:"image,omitempty"` // the base's name in the store
	Size       cell.Size       `json:"size,omitempty"`  // it is at least as large; 0: as the base
	Disposable bool            `json:"disposable,omitempty"`
	// Frozen is a template's layer between the base and this one; it is only read.
	Frozen string `json:"frozen,omitempty"`
}

// Kind implements Spec.
func (*Layer) Kind() Kind { return KindLayer }

// Take implements Spec.
func (l *Layer) Take() []string {
	lines := []string{"flock -n -s " + quote(l.Base) + " true"}
	under, format := l.Base, l.BaseFormat
	if l.Frozen != "" {
		lines = append(lines, "flock -n -s "+quote(l.Frozen)+" true")
		under, format = l.Frozen, cell.FormatQcow2
	}
	missing := "[ -e " + quote(l.Path) + " ] || "
	if l.Disposable {
		missing = ""
	}
	size := ""
	if l.Size > 0 {
		size = strconv.FormatInt(int64(l.Size), 10)
	}
	if l.Format == cell.FormatQcow2 {
		words := []string{"qemu-img", "create", "-f", "qcow2", "-b", under, "-F", string(format), l.Path}
		if size != "" {
			words = append(words, size)
		}
		return append(lines, missing+command(words...))
	}
	lines = append(lines, missing+command("cp", l.Base, l.Path))
	if size != "" {
		lines = append(lines, command("truncate", "-s", size, l.Path))
	}
	return lines
}

// Release implements Spec.
func (l *Layer) Release() []string {
	if l.Disposable {
		return []string{command("rm", l.Path)}
	}
	return nil
}

// Layers says where a cell's layers are, and what they are on its host: QEMU
// reads a base below a layer, bhyve gets a copy.
type Layers struct {
	Dirs   layout.Dirs
	Cell   string
	Format cell.DiskFormat
}

// LayersOf are those of a cell on a host.
func LayersOf(h host.Facts, name string) Layers {
	l := Layers{Dirs: h.Dirs, Cell: name, Format: cell.FormatQcow2}
	if h.OS == onFreeBSD {
		l.Format = cell.FormatRaw
	}
	return l
}

func (l Layers) path(d cell.Disk) string {
	return l.Dirs.Layer(l.Cell, d.Label, string(l.Format), d.Disposable)
}

func (l Layers) layer(d cell.Disk) *Layer {
	s := &Layer{Label: d.Label, Path: l.path(d), Format: l.Format, Base: d.Base, BaseFormat: d.Format,
		Image: d.Image, Size: d.Size, Disposable: d.Disposable, Frozen: d.Frozen}
	if d.Image != "" {
		s.Base, s.BaseFormat = l.Dirs.Image(d.Image), cell.FormatRaw
	}
	return s
}
