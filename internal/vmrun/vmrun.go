// Package vmrun reads the command line of FreeBSD's vmrun.sh
// (/usr/share/examples/bhyve/vmrun.sh) and makes of it the cell that it stands
// for: the same guest, in a jail of its own.
//
// It takes the flags of the script as it is in FreeBSD 13, 14 and 15, and the
// two that HardenedBSD's has besides. Each keeps its meaning. Where a cell is
// safer than what the script does, or cannot say what a flag says, a note tells
// the user; nothing is dropped in silence.
//
// The script's loop, which starts bhyve again after a reset and ends with
// everything else, is what every cell does with `restart = "never"`.
package vmrun

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"skep/internal/cell"
	"skep/internal/fault"
)

// ErrHelp is the error of -h.
var ErrHelp = errors.New("help was asked for")

// Options are what a command line means in its surroundings.
type Options struct {
	// Dir is what relative paths are relative to.
	Dir string
	// Bootable says whether a disk has something to boot from; the script looks
	// for that with file(1) to decide whether the installation image is
	// needed. Without it an image is used when -i asks for it.
	Bootable func(disk string) (bool, error)
	// PCI finds bus/slot/function of a device such as ppt0.
	PCI func(device string) (string, error)
}

// Result is a cell and what should be said about it.
type Result struct {
	Cell  *cell.Cell
	Notes []string
}

// defaults of the script.
const (
	defaultCPUs   = 2
	defaultMemory = 512 * cell.MiB
	defaultTap    = "tap0"
	defaultDisk   = "diskdev"
	defaultISO    = "release.iso"
	newDiskSize   = 8 * cell.GiB
	defaultHost   = "127.0.0.1"
	defaultPort   = "5900"
)

// Parse reads the arguments behind the command's name.
func Parse(args []string, o Options) (*Result, error) {
	options, operands, err := getopts(args)
	if err != nil {
		return nil, err
	}
	r := &request{o: o}
	for _, opt := range options {
		if opt.flag.letter == 'h' {
			return nil, ErrHelp
		}
		if err := opt.flag.take(r, opt.value); err != nil {
			return nil, err
		}
	}
	switch {
	case len(operands) == 0:
		return nil, fault.New(fault.Input, "the last argument is the name of the virtual machine", "run: virtual machine name not specified")
	case len(operands) > 1:
		return nil, fault.New(fault.Input, "put flags before the name; nothing may follow it", "run %q: unexpected argument %q after the name", operands[0], operands[1])
	}
	if err := cell.ValidName(operands[0]); err != nil {
		return nil, fault.New(fault.Input, "rename the virtual machine: the name becomes that of its jail too", "run %q: %v", operands[0], err)
	}
	return r.build(operands[0])
}

// request is a command line before it is a cell.
type request struct {
	o     Options
	notes []string

	cpus       int
	memory     cell.Size
	ahci       bool
	disks      []disk
	force      bool
	iso        string
	nics       []nic
	nicModel   string
	passthru   []string
	console    string
	uefi       bool
	firmware   string
	host, port string
	width      int
	height     int
	wait       bool
	env        []string
	loader     string
	hostBase   string
	gdb        *cell.GDB
	args       []string
	efiOnly    []byte // flags given that mean something with -E only
}

type disk struct {
	path     string
	readOnly bool
}

type nic struct{ tap, mac string }

func (r *request) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// absolute makes a path independent of where the cell file will be.
func (r *request) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(r.o.Dir, path)
}

// Usage is the help text, from the table of flags.
func Usage() string {
	var bare, b strings.Builder
	for _, f := range flags {
		if f.value == "" {
			bare.WriteByte(f.letter)
		}
	}
	fmt.Fprintf(&b, "usage: skep vmrun [--print] [-%s]", bare.String())
	for _, f := range flags {
		if f.value != "" {
			fmt.Fprintf(&b, " [-%c %s]", f.letter, f.value)
		}
	}
	b.WriteString(" NAME\n\n")
	for _, f := range flags {
		fmt.Fprintf(&b, "  -%-14s %s\n", strings.TrimSpace(string(f.letter)+" "+f.value), f.help)
	}
	return b.String()
}
