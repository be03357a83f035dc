package plan

import (
	"slices"
	"strconv"
	"strings"

	"skep/internal/cell"
)

// DiskKind says what a disk is on the host.
type DiskKind string

// Disk is a disk of the guest, opened and locked by the keeper. It holds the
// guest's data: releasing it closes it and no more.
type Disk struct {
	Label    string          `json:"label"`
	Type     DiskKind        `json:"type"`
	Path     string          `json:"path"`              // of the file or device node
	Dataset  string          `json:"dataset,omitempty"` // of a zvol
	Format   cell.DiskFormat `json:"format"`
	ReadOnly bool            `json:"read_only,omitempty"`
	Create   cell.Size       `json:"create,omitempty"` // size to make it with when it is missing; 0: it must be there
	Reserved bool            `json:"reserved,omitempty"`
	// Results is what a new disk is made as, of one that the guest brings results out with.
	Results cell.ResultsFormat `json:"results,omitempty"`
	// Layer: it is the cell's own, made by a Layer before this.
	Layer      bool `json:"layer,omitempty"`
	Disposable bool `json:"disposable,omitempty"`
}

// Kind implements Spec.
func (*Disk) Kind() Kind { return KindDisk }

// Take implements Spec.
func (d *Disk) Take() []string {
	var lines []string
	size := strconv.FormatInt(int64(d.Create), 10)
	switch {
	case d.Create == 0:
	case d.Type == DiskZvol:
		create := []string{"zfs", "create", "-V", size, "-o", "volmode=dev", d.Dataset}
		if !d.Reserved {
			create = slices.Insert(create, 2, "-s")
		}
		lines = append(lines, "zfs list "+quote(d.Dataset)+" || "+command(create...),
			// A new volume may have no node until it is shown anew.
			"[ -e "+quote(d.Path)+" ] || { "+command("zfs", "set", "volmode=none", d.Dataset)+"; "+command("zfs", "set", "volmode=dev", d.Dataset)+"; }")
	case d.Format == cell.FormatQcow2:
		lines = append(lines, "[ -e "+quote(d.Path)+" ] || "+command("qemu-img", "create", "-f", "qcow2", d.Path, size))
	default:
		lines = append(lines, "[ -e "+quote(d.Path)+" ] || "+command("truncate", "-s", size, d.Path))
	}
	if mkfs := d.mkfs(); mkfs != "" {
		lines = []string{"[ -e " + quote(d.Path) + " ] || { " + command("truncate", "-s", size, d.Path) + "; " + mkfs + "; }"}
	}
	lock := "flock -n "
	if d.ReadOnly {
		lock = "flock -n -s "
	}
	return append(lines, lock+quote(d.Path)+" true")
}

// Release implements Spec.
func (*Disk) Release() []string { return nil }

// FATCluster is how many sectors newfs_msdos(8) puts together on a disk of a size: left alone it makes clusters
// of 4 KiB, of which a disk of less than 256 MiB has too few for FAT32.
func FATCluster(size cell.Size) string {
	sectors := 1
	for sectors < 8 && cell.Size(sectors)*128<<20 <= size {
		sectors *= 2
	}
	return strconv.Itoa(sectors)
}

// mkfs is what makes the file system of a new disk for results; a tar archive needs none.
func (d *Disk) mkfs() string {
	label := strings.ToUpper(d.Label)
	label = label[:min(len(label), 11)]
	switch d.Results {
	case cell.ResultsFAT:
		return command("mkfs.vfat", "-F", "32", "-n", label, d.Path) + " || " + command("newfs_msdos", "-F", "32", "-c", FATCluster(d.Create), "-L", label, d.Path)
	case cell.ResultsExt4:
		return command("mke2fs", "-q", "-t", "ext4", "-L", d.Label, d.Path)
	}
	return ""
}

// BuiltinHello names the built-in guest where a file would be named.
const BuiltinHello = "builtin:hello"

// Firmware is what the guest executes first, opened for reading.
type Firmware struct {
	From string `json:"from"` // path on the host, or BuiltinHello
}

// Kind implements Spec.
func (*Firmware) Kind() Kind { return KindFirmware }

// Take implements Spec.
func (f *Firmware) Take() []string {
	if f.From == BuiltinHello {
		return []string{"skep hello-rom > hello.rom  # the built-in guest"}
	}
	return []string{command("test", "-r", f.From)}
}

// Release implements Spec.
func (*Firmware) Release() []string { return nil }

// Vars is the cell's own copy of the firmware's UEFI variables. It holds the
// guest's data and stays.
type Vars struct {
	Path string `json:"path"`
	From string `json:"from"` // the firmware's template
}

// Kind implements Spec.
func (*Vars) Kind() Kind { return KindVars }

// Take implements Spec.
func (v *Vars) Take() []string {
	return []string{"[ -e " + quote(v.Path) + " ] || " + command("cp", v.From, v.Path)}
}

// Release implements Spec.
func (*Vars) Release() []string { return nil }
