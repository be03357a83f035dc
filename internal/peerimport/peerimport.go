// Package peerimport makes a cell of what another manager of virtual machines keeps, or of a command line of
// QEMU's: vm-bhyve's guest.conf, libvirt's domain XML, the words after qemu-system-x86_64.
//
// Nothing in them is run. Whatever has no place in a cell, and whatever is stricter there, is a warning each;
// a cell comes out of all that is left, and it is one that skep itself accepts.
package peerimport

import (
	"fmt"
	"path/filepath"
	"strings"

	"skep/internal/cell"
	"skep/internal/cellfile"
	"skep/internal/fault"
)

// A Result is a cell and what should be said about it.
type Result struct {
	Cell     *cell.Cell
	Text     []byte // its file
	Warnings []string
}

// draft is a cell in the making.
type draft struct {
	cell     cell.Cell
	dir      string // what relative paths are relative to
	warnings []string
	labels   map[string]bool
}

func newDraft(dir string) *draft {
	d := &draft{cell: *cell.Hello(), dir: dir, labels: map[string]bool{}}
	d.cell.Jail.Limits = cell.Limits{} // follow from the rest
	return d
}

func (d *draft) warn(format string, args ...any) {
	w := fmt.Sprintf(format, args...)
	for _, old := range d.warnings {
		if old == w {
			return
		}
	}
	d.warnings = append(d.warnings, w)
}

// name gives the cell a name made of another's.
func (d *draft) name(s string) {
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && cell.ValidName("a"+string(r)) == nil {
			return r
		}
		return '-'
	}, s)
	if name == "" || cell.ValidName(name[:1]) != nil {
		name = "vm-" + name
	}
	name = name[:min(len(name), 32)]
	if name != s {
		d.warn("the cell is named %s: a cell's name holds letters, digits, - and _ only, 32 at most", name)
	}
	d.cell.Name = name
}

// label is a label that is not used yet.
func (d *draft) label(kind string) string {
	for n := 0; ; n++ {
		l := fmt.Sprintf("%s%d", kind, n)
		if !d.labels[l] {
			d.labels[l] = true
			return l
		}
	}
}

func (d *draft) path(p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(d.dir, p)
}

// disk adds a disk of a file, a volume or a device.
func (d *draft) disk(path, format, model string, readOnly, cd bool) {
	made := cell.Disk{Label: d.label("disk"), ReadOnly: readOnly, Model: model}
	path = d.path(path)
	switch zvol, isZvol := strings.CutPrefix(path, "/dev/zvol/"); {
	case isZvol:
		made.Zvol = zvol
	case strings.HasPrefix(path, "/dev/"):
		made.Device = path
		d.warn("%s: a raw device of the host is a relaxation, which the audit shows", path)
	case cd:
		made.ISO, made.ReadOnly, made.Model = path, true, "ahci"
	default:
		made.File, made.Format = path, cell.FormatRaw
		switch format {
		case "", "raw":
		case "qcow2":
			made.Format = cell.FormatQcow2
			d.warn("%s: a backing file that this image names is not followed; base = … names one", path)
		default:
			d.warn("%s: the format %s is not run; skep image import converts it", path, format)
		}
	}
	if model == "nvme" || model == "ahci" || model == "virtio" || made.ISO != "" {
		d.cell.Disks = append(d.cell.Disks, made)
		return
	}
	made.Model = "virtio"
	d.warn("%s: a disk on %s becomes one on virtio", path, model)
	d.cell.Disks = append(d.cell.Disks, made)
}

// nic adds a network card on a bridge, or on a tap.
func (d *draft) nic(bridge, tap, mac, model string) {
	n := cell.NIC{Label: d.label("nic"), Bridge: bridge, Tap: tap, Model: "virtio", MAC: strings.ToLower(mac)}
	switch {
	case strings.HasPrefix(model, "e1000") || model == "82540em":
		n.Model = "e1000"
	case model != "" && !strings.HasPrefix(model, "virtio"):
		d.warn("a network card of the model %s becomes one of virtio", model)
	}
	if mac == "" {
		d.warn("a network card without an address of its own gets one that follows from the cell's name")
	}
	where := bridge
	if tap != "" {
		where = tap
	}
	d.warn("%s has to be there: skep makes no networks but by bridge { create = true }", where)
	d.cell.NICs = append(d.cell.NICs, n)
}

// screen adds a screen.
func (d *draft) screen(listen, was string) {
	d.cell.Screen = &cell.Screen{Width: 1024, Height: 768, Listen: listen}
	if listen == "" {
		d.warn("the screen (%s) is on a UNIX socket that only its owner can open; listen = … names an address", was)
	} else {
		d.warn("the screen listens on %s without a password; password_file = … sets one", listen)
	}
}

// done has the cell checked as if it had been written by hand.
func (d *draft) done(what string) (*Result, error) {
	text := cellfile.Encode(&d.cell)
	checked, mistakes := cell.Parse(d.cell.Name+".hcl", text)
	if len(mistakes) > 0 {
		return nil, fault.Wrap(fault.Input, mistakes.Err(), "change it there, or write the cell file by hand: skep new", "make a cell of %s", what)
	}
	return &Result{Cell: checked, Text: text, Warnings: d.warnings}, nil
}

// firmware settles what boots, of a path that names a firmware.
func (d *draft) firmware(path string) {
	base := strings.ToLower(filepath.Base(path))
	for _, uefi := range []string{"ovmf", "uefi", "edk2", "aavmf"} {
		if strings.Contains(base, uefi) {
			d.cell.Boot = cell.Boot{Kind: cell.BootUEFI}
			if strings.Contains(base, "secboot") || strings.Contains(base, "ms.fd") {
				d.warn("%s: Secure Boot is not carried", path)
			}
			return
		}
	}
	d.cell.Boot = cell.Boot{Kind: cell.BootFirmware, Path: d.path(path)}
}
