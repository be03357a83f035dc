package bpf

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// buffer is how much waits in the kernel at a time, of two; net.bpf.maxbufsize may bound it to less.
const buffer = 512 << 10

// Device opens bpf(4), bound to nothing.
func Device(write bool) (int, error) {
	mode := unix.O_RDONLY
	if write {
		mode = unix.O_RDWR
	}
	fd, err := unix.Open("/dev/bpf", mode|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open /dev/bpf: %w", err)
	}
	return fd, nil
}

// Attach binds it to an interface of the network stack that the caller is in, for good: nobody can bind it to another, or
// have it see more, any more. all has the interface take frames that are for others as well: a tap passes over what
// its own address is not on.
func Attach(fd int, name string, see Direction, all bool) error {
	// Of the calls below: BIOCSBLEN, BIOCSETIF, BIOCIMMEDIATE, BIOCSHDRCMPLT, BIOCSDIRECTION, BIOCPROMISC, BIOCLOCK.
	size, yes, direction := uint32(buffer), uint32(1), uint32(see)
	var ifr struct {
		name [unix.IFNAMSIZ]byte
		rest [16]byte
	}
	copy(ifr.name[:unix.IFNAMSIZ-1], name)
	for _, step := range []struct {
		what    string
		request uintptr
		data    unsafe.Pointer
	}{
		{"size its buffer", unix.BIOCSBLEN, unsafe.Pointer(&size)},
		{"bind it to " + name, unix.BIOCSETIF, unsafe.Pointer(&ifr)},
		{"have it tell at once", unix.BIOCIMMEDIATE, unsafe.Pointer(&yes)},
		{"leave addresses as they are", unix.BIOCSHDRCMPLT, unsafe.Pointer(&yes)},
		{"choose what it sees", unix.BIOCSDIRECTION, unsafe.Pointer(&direction)},
		{"take all frames", unix.BIOCPROMISC, nil},
		{"lock it", unix.BIOCLOCK, nil},
	} {
		if step.request == unix.BIOCPROMISC && !all {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), step.request, uintptr(step.data)); errno != 0 {
			return fmt.Errorf("bpf(4): %s: %w", step.what, errno)
		}
	}
	return nil
}

// Open is Device and Attach, to an interface of the caller's stack, for reading.
func Open(name string, see Direction) (*os.File, error) {
	fd, err := Device(false)
	if err != nil {
		return nil, err
	}
	if err := Attach(fd, name, see, false); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "frames of "+name), nil
}

// Size is the size of its buffer in the kernel.
func Size(f *os.File) (int, error) {
	var size uint32
	if err := control(f, unix.BIOCGBLEN, unsafe.Pointer(&size)); err != nil {
		return 0, err
	}
	return int(size), nil
}

// Statistics is what of a descriptor may be asked once it is limited: how much there was.
const Statistics = unix.BIOCGSTATS

// Lost is how many frames there was no room for.
func Lost(f *os.File) (uint64, error) {
	var stats struct{ received, dropped uint32 } // struct bpf_stat
	err := control(f, unix.BIOCGSTATS, unsafe.Pointer(&stats))
	return uint64(stats.dropped), err
}

func control(f *os.File, request uintptr, data unsafe.Pointer) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var errno unix.Errno
	if err := raw.Control(func(fd uintptr) { _, _, errno = unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(data)) }); err != nil {
		return err
	}
	if errno != 0 {
		return errno
	}
	return nil
}
