//go:build linux || freebsd

package provision

import (
	"encoding/binary"
	"math"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/jail"
	"skep/internal/jail/seccomp"
	"skep/internal/plan"
)

// fileBound is how large a file the hypervisor may make once its guest runs: as large as the largest
// that it was given, and twice what a log may hold. Without it an intruder could fill the host's disk
// by way of a log, faster than that is cut, or of a raw image that grows. On Linux it cannot be set
// before the start: there QEMU sizes a file in memory for the code it translates.
//
// With a limit of the cell file that is it, for each file: one that is larger already is refused.
func fileBound(p *plan.Plan, fds []jail.FD, limit, memory cell.Size) (jail.Limit, error) {
	bound := uint64(1 << 20)
	if len(plan.Specs[*plan.Screen](p)) > 0 {
		bound = seccomp.SurfaceMax // from QEMU 10 on a surface is a file in memory, and it ends without
	}
	for _, l := range plan.Specs[*plan.Log](p) {
		bound = max(bound, 2*uint64(l.Max))
	}
	grows := map[string]bool{}
	for _, d := range plan.Specs[*plan.Disk](p) {
		grows["disk:"+d.Label] = d.Format == cell.FormatQcow2
	}
	for _, fd := range fds {
		if strings.HasPrefix(fd.Name, "base:") || strings.HasPrefix(fd.Name, "frozen:") {
			continue // it cannot be written to
		}
		size, err := mayGrowTo(fd.File, grows[fd.Name] && limit == 0)
		if err != nil {
			return jail.Limit{}, err
		}
		if label, isDisk := strings.CutPrefix(fd.Name, "disk:"); isDisk && limit > 0 && size > uint64(limit) && writable(fd.File) {
			return jail.Limit{}, fault.New(fault.Input, "raise disk in the limits block, or leave it out",
				"keep disk %q within limits.disk = %s: it is a file of %s already", label, limit, cell.Size(size))
		}
		if limit == 0 {
			if grows[fd.Name] {
				size += uint64(memory) // a snapshot of it lies in the image
			}
			bound = max(bound, size)
		}
	}
	bound = max(bound, uint64(limit))
	return jail.Limit{Name: "fsize", Value: bound}, nil
}

// writable says whether a descriptor can be written to.
func writable(f *os.File) bool {
	flags := 0
	err := control(f, func(fd int) (err error) { flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); return err })
	return err == nil && flags&unix.O_ACCMODE != unix.O_RDONLY
}

// mayGrowTo is the size of a file, and for an image that grows what it comes to when all of it is
// written. What kind of image it is the plan says: a guest can write any header to a raw one.
func mayGrowTo(f *os.File, qcow2 bool) (uint64, error) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, err
	}
	size := uint64(info.Size())
	if !qcow2 {
		return size, nil
	}
	var header [64]byte
	var n int
	err = control(f, func(fd int) (err error) { n, err = unix.Pread(fd, header[:], 0); return err })
	if err != nil || n < len(header) {
		return size, err
	}
	virtual := binary.BigEndian.Uint64(header[24:])
	if virtual > math.MaxInt64/2 {
		return size, nil
	}
	most := virtual + virtual/8 + 64<<20 // tables and reference counts are far less than an eighth; a small image still has some
	if binary.BigEndian.Uint32(header[60:]) > 0 {
		most += size // what its snapshots hold is kept while all of it is written anew
	}
	return max(size, most), nil
}

// control does something with a file's descriptor and leaves the file in its
// mode, which Fd would not.
func control(f *os.File, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := conn.Control(func(fd uintptr) { inner = do(int(fd)) }); err != nil {
		return err
	}
	return inner
}
