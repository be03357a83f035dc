package disk

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const inUseHint = "stop it first, or give both read_only = true"

// QEMU's programs keep off each other's images by locks on single bytes of the
// file, block/file-posix.c: whoever uses a permission holds byte 100 and on,
// whoever does not share it byte 200 and on, all of them with read locks, and
// each then asks whether a write lock on the opposite byte would be free.
// They are locks of the open file (F_OFD_SETLK): those that are taken here stay
// as long as the hypervisor has the descriptor, whatever becomes of the keeper,
// and QEMU itself is told locking=off.
const (
	usedBase      = 100
	notSharedBase = 200

	permRead   = 0 // of what others have written
	permWrite  = 1
	permResize = 3
)

// lockBytes takes QEMU's locks as a guest's disk has them, and looks at those
// of others. libvirt's byte 0 and what else lies before them is looked at too.
func lockBytes(f *os.File, write bool) error {
	used, alone := []int64{permRead}, []int64{permWrite, permResize}
	if write {
		used = append(used, permWrite, permResize)
	}
	for _, p := range used {
		if err := lockByte(f, usedBase+p); err != nil {
			return err
		}
	}
	for _, p := range alone {
		if err := lockByte(f, notSharedBase+p); err != nil {
			return err
		}
	}
	how := int16(unix.F_RDLCK)
	if write {
		how = unix.F_WRLCK
	}
	if err := free(f, how, 0, usedBase); err != nil {
		return err
	}
	for _, p := range used {
		if err := free(f, unix.F_WRLCK, notSharedBase+p, 1); err != nil {
			return err
		}
	}
	for _, p := range alone {
		if err := free(f, unix.F_WRLCK, usedBase+p, 1); err != nil {
			return err
		}
	}
	return nil
}

func lockByte(f *os.File, at int64) error {
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_RDLCK, Start: at, Len: 1})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return &InUse{holders(f)}
	}
	return err
}

// free says whether nobody else has a lock there that this one would meet.
func free(f *os.File, how int16, at, length int64) error {
	l := unix.Flock_t{Type: how, Start: at, Len: length}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l); err != nil {
		return err
	}
	if l.Type == unix.F_UNLCK {
		return nil
	}
	found := holders(f)
	if len(found) == 0 && l.Pid > 0 { // a lock of a process, fcntl(2)
		found = []Holder{{int(l.Pid), program(int(l.Pid))}}
	}
	return &InUse{found}
}

// rangeFlock says whether flock(2) is a lock on all bytes of the file there, as
// on file systems of the network, nfs(5): it would meet the locks on single
// bytes of those it is to let pass, and they alone do.
func rangeFlock(f *os.File) bool {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return false
	}
	return byteRangeFlock[uint32(fs.Type)]
}

var byteRangeFlock = map[uint32]bool{
	unix.NFS_SUPER_MAGIC:  true,
	unix.CIFS_SUPER_MAGIC: true,
	unix.SMB2_SUPER_MAGIC: true,
	unix.SMB_SUPER_MAGIC:  true,
}

// holders finds the other processes that have the file open with a lock on it.
// Who holds a lock of an open file no call tells: fcntl(2) says -1.
func holders(f *os.File) (found []Holder) {
	own, err := f.Stat()
	if err != nil {
		return nil
	}
	fds, _ := filepath.Glob("/proc/[1-9]*/fd/*")
	for _, fd := range fds {
		info, err := os.Stat(fd)
		if err != nil || !os.SameFile(own, info) {
			continue
		}
		proc := filepath.Dir(filepath.Dir(fd))
		pid, err := strconv.Atoi(filepath.Base(proc))
		if err != nil || pid == syscall.Getpid() || len(found) > 0 && found[len(found)-1].PID == pid {
			continue
		}
		b, err := os.ReadFile(filepath.Join(proc, "fdinfo", filepath.Base(fd)))
		if err == nil && strings.Contains(string(b), "\nlock:") {
			found = append(found, Holder{pid, program(pid)})
		}
	}
	return found
}

// program is the name of a process.
func program(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return "a process"
	}
	return strings.TrimSpace(string(b))
}
