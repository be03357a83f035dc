//go:build linux || freebsd

package keeper

import (
	"os"
	"strings"

	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/plan"
)

// openDisk opens a disk. One that the cell has under another name already would
// be refused as somebody else's.
func openDisk(d *plan.Disk, files map[string]*os.File) (*os.File, bool, error) {
	if info, err := os.Stat(d.Path); err == nil {
		for name, f := range files {
			other, isDisk := strings.CutPrefix(name, "disk:")
			if !isDisk {
				continue
			}
			if has, err := f.Stat(); err == nil && os.SameFile(info, has) {
				return nil, false, fault.New(fault.Input, "a disk is given to a guest once", "use disk %q (%s): it is the same file as disk %q", d.Label, d.Path, other)
			}
		}
	}
	return disk.Open(d)
}
