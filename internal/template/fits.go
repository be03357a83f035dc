//go:build linux || freebsd

package template

import (
	"os"

	"skep/internal/fault"
)

// Here is what is about to restore a guest.
type Here struct {
	Skep, Board, Accel string
	QEMU               string // its path
}

// Fits says why a guest cannot be restored by what is here. State and memory mean something only to what
// wrote them.
func (t *Template) Fits(h Here) error {
	if t.Skep != h.Skep {
		return t.refuse("it was made by skep %s, this is %s", t.Skep, h.Skep)
	}
	if string(t.Cell.Accel) != h.Accel {
		return t.refuse("it was made with accel = %q, this cell has %q", t.Cell.Accel, h.Accel)
	}
	if t.Board != h.Board {
		return t.refuse("its guest has another board: other devices, processors or memory")
	}
	if h.Accel == "kvm" && t.CPU != CPU() {
		return t.refuse("its guest runs on another processor than this host has")
	}
	now, err := FileOf(h.QEMU, false)
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "use the template %s", t.Name)
	}
	if now.Path == t.QEMU.Path && t.QEMU.Differs(now) == "" {
		return nil
	}
	if now, err = FileOf(h.QEMU, true); err != nil {
		return fault.Wrap(fault.Host, err, "", "use the template %s", t.Name)
	}
	if now.Sum != t.QEMU.Sum {
		return t.refuse("it was made with QEMU %s (SHA-256 %.12s…), this is another (%.12s…)", t.QEMU.Version, t.QEMU.Sum, now.Sum)
	}
	return nil
}

// SameFile says why a file by its path is not what it was.
func (t *Template) SameFile(was File) error {
	now, err := FileOf(was.Path, false)
	if err != nil {
		return fault.Wrap(fault.Input, err, "make it again", "use the template %s", t.Name)
	}
	if why := was.Differs(now); why != "" {
		return t.refuse("%s %s", was.Path, why)
	}
	return nil
}

// Verify reads all of a template and says of each file that is not what it was why. Where only times differ,
// as after a copy of the directory, the files as they are now are the second result.
func (t *Template) Verify() (wrong []string, again *Template) {
	renewed := *t
	renewed.Disks = append([]Disk(nil), t.Disks...)
	look := func(f *File) {
		if f.Path == "" || f.Sum == "" {
			return
		}
		now, err := FileOf(f.Path, true)
		switch {
		case err != nil:
			wrong = append(wrong, f.Path+": "+fault.ReasonOf(err))
		case now.Size != f.Size:
			wrong = append(wrong, f.Path+" "+f.Differs(now))
		case now.Sum != f.Sum:
			wrong = append(wrong, f.Path+" holds other bytes than it did")
		default:
			*f = now
		}
	}
	look(&renewed.RAM)
	look(&renewed.State)
	for i := range renewed.Disks {
		look(&renewed.Disks[i].Frozen)
		look(&renewed.Disks[i].Base)
	}
	if len(wrong) > 0 {
		return wrong, nil
	}
	return nil, &renewed
}

// CPU tells this host's processor from others.
func CPU() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	return cpuOf(string(text))
}
