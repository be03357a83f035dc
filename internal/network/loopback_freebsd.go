package network

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Loopback gives lo0 of a network stack its address and brings it up. socket
// makes a socket in that stack: an ioctl on it means that stack's interfaces,
// whoever calls, so nothing needs to run inside.
func Loopback(socket func() (int, error)) error {
	fd, err := socket()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// struct ifaliasreq of netinet/in.h: a name, three addresses, a group.
	var alias struct {
		name                  [unix.IFNAMSIZ]byte
		addr, broadcast, mask unix.RawSockaddrInet4
		vhid                  int32
	}
	copy(alias.name[:], "lo0")
	alias.addr = inet4(127, 0, 0, 1)
	alias.mask = inet4(255, 0, 0, 0)
	if err := ioctl(fd, unix.SIOCAIFADDR, unsafe.Pointer(&alias)); err != nil && err != unix.EEXIST {
		return fmt.Errorf("give lo0 an address: %w", err)
	}
	return up(fd, "lo0")
}

func inet4(a, b, c, d byte) unix.RawSockaddrInet4 {
	return unix.RawSockaddrInet4{Len: unix.SizeofSockaddrInet4, Family: unix.AF_INET, Addr: [4]byte{a, b, c, d}}
}

func ioctl(fd int, request uintptr, data unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(data))
	if errno != 0 {
		return errno
	}
	return nil
}
