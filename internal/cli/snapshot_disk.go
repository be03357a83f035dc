package cli

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"skep/internal/cell"
	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/plan"
	"skep/internal/reader"
	"skep/internal/tool"
)

// one makes a snapshot of one disk, goes back to it or removes it: -c, -a or -d. A qcow2 image holds it
// itself, of any other file there is a copy.
func (s snapshots) one(do, tag string, d *plan.Disk) error {
	if d.Format != cell.FormatQcow2 {
		return s.copied(do, tag, d)
	}
	program, err := exec.LookPath("qemu-img")
	if err != nil {
		return fault.New(fault.Host, s.facts.Install("qemu-img"), "snapshot disk %q: qemu-img is not installed", d.Label)
	}
	own := *d
	own.Create = 0
	f, _, err := disk.OpenBy(&own, disk.Rules{Accept: func(*disk.Foreign) bool { return true }})
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	out, err := tool.Run(s.ctx, s.facts, tool.Job{Tool: tool.Program(program), Files: []tool.File{{Name: "disk", File: f}},
		Args: []string{"snapshot", do, tag, "--image-opts",
			"driver=qcow2,file.driver=file,file.locking=off,file.filename=" + tool.InJail("disk")},
		Limits: tool.Limits{Memory: 1 << 30, FileSize: 2*info.Size() + 64<<20}})
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		if out.Words != "" {
			err = errors.New(out.Words)
		}
		return fault.Wrap(fault.Host, err, "", "snapshot %s: disk %q (%s)", tag, d.Label, d.Path)
	}
	return nil
}

// copied is the same for a file that holds no snapshots. Going back is done aside: the disk is the one or
// the other.
func (s snapshots) copied(do, tag string, d *plan.Disk) error {
	kept := s.copyOf(tag, d)
	from, to := d.Path, kept
	switch do {
	case "-d":
		if err := os.Remove(kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	case "-a":
		from, to = kept, filepath.Join(filepath.Dir(d.Path), "."+filepath.Base(d.Path)+".revert")
		_ = os.Remove(to) // what a revert that was cut off has left
	}
	own := *d
	own.Create = 0
	lock, err := disk.OpenForCopy(&own, true) // nobody writes to it
	if err != nil {
		return err
	}
	defer lock.Close()
	src, err := os.Open(from)
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "snapshot %s: disk %q", tag, d.Label)
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	h := reader.Host{Facts: s.facts}
	err = disk.Copy(src, to, func(dst, src *os.File) error { return h.Copy(s.ctx, dst, src, info.Size(), nil) })
	if err != nil || do != "-a" {
		return err
	}
	if err := os.Rename(to, d.Path); err != nil {
		return fault.Wrap(fault.Host, err, "", "go back to %s: disk %q", tag, d.Label)
	}
	return nil
}
