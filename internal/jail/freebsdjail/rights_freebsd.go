package freebsdjail

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"skep/internal/kinfo"
)

// Limited is a descriptor of the same file that is good for those rights and no others, rights(4), and with fcntl for
// asking its flags alone. Who is handed it cannot get more of it.
// Of ioctl(2), where that is among them, those calls are left.
func Limited(f *os.File, rights string, ioctls ...uint64) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	cerr := raw.Control(func(of uintptr) { fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) })
	if cerr != nil {
		err = cerr
	}
	if err == nil {
		if err = narrow(fd, rights); err == nil && len(ioctls) > 0 {
			err = onlyIoctls(fd, ioctls)
		}
		if err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("limit %s to %s: %w", f.Name(), rights, err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// onlyIoctls leaves those of them.
func onlyIoctls(fd int, ioctls []uint64) error {
	const sysCapIoctlsLimit = 534 // cap_ioctls_limit(2)
	if _, _, errno := unix.RawSyscall(sysCapIoctlsLimit, uintptr(fd), uintptr(unsafe.Pointer(&ioctls[0])), uintptr(len(ioctls))); errno != 0 {
		return errno
	}
	return nil
}

// getFlags is CAP_FCNTL_GETFL of sys/sys/capsicum.h.
const getFlags = 1 << unix.F_GETFL

// narrow leaves a descriptor those rights.
func narrow(fd int, names string) error {
	r, err := kinfo.NamedRights(names)
	if err != nil {
		return err
	}
	set := [2]uint64{1<<57 | r[0], 1<<58 | r[1]} // CAPRIGHT
	if _, _, errno := unix.RawSyscall(unix.SYS_CAP_RIGHTS_LIMIT, uintptr(fd), uintptr(unsafe.Pointer(&set)), 0); errno != 0 {
		return errno
	}
	fcntl, _ := kinfo.NamedRights("fcntl")
	if r.Without(fcntl) == r {
		return nil
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_CAP_FCNTLS_LIMIT, uintptr(fd), getFlags, 0); errno != 0 {
		return errno
	}
	return nil
}

// Memory is a file of that size without a name and on no disk, which only who has its descriptor can reach. Who is
// handed it without the right to does not make it larger.
func Memory(name string, size int64) (*os.File, error) {
	const anonymous, sysShmOpen2 = 1, 571 // SHM_ANON of sys/mman.h; shm_open2(2), since FreeBSD 13
	fd, _, errno := unix.Syscall6(sysShmOpen2, anonymous, unix.O_RDWR|unix.O_CLOEXEC, 0o600, 0, 0, 0)
	if errno != 0 {
		return nil, fmt.Errorf("make a file in memory: %w", errno)
	}
	f := os.NewFile(fd, name)
	if err := f.Truncate(size); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
