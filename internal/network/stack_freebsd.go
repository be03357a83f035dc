package network

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// OpenTapIn makes a tap, tags it, puts it into the network stack of a jail and brings it up there; see Loopback of socket.
func OpenTapIn(name, tag string, jid int, socket func() (int, error)) error {
	if _, there, err := look(name); err != nil || there {
		return fmt.Errorf("interface %s: %w", name, errors.Join(err, ErrForeign))
	}
	if _, err := ifconfig(name, "create", "description", tag); err != nil {
		return err
	}
	_, err := ifconfig(name, "vnet", strconv.Itoa(jid))
	if err == nil {
		err = UpIn(name, socket)
	}
	if err != nil {
		return errors.Join(err, Reclaim(name, jid), DropTap(name, tag))
	}
	return nil
}

// UpIn is Up for an interface of another network stack.
func UpIn(name string, socket func() (int, error)) error {
	fd, err := socket()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return up(fd, name)
}

// up brings an interface up that is in the network stack of a socket.
func up(fd int, name string) error {
	// struct ifreq with its flags; SIOCSIFFLAGS.
	var flags struct {
		name      [unix.IFNAMSIZ]byte
		low, high uint16
		rest      [12]byte
	}
	copy(flags.name[:unix.IFNAMSIZ-1], name)
	if err := ioctl(fd, unix.SIOCGIFFLAGS, unsafe.Pointer(&flags)); err != nil {
		return fmt.Errorf("ask for the flags of %s: %w", name, err)
	}
	flags.low |= unix.IFF_UP
	if err := ioctl(fd, unix.SIOCSIFFLAGS, unsafe.Pointer(&flags)); err != nil {
		return fmt.Errorf("bring %s up: %w", name, err)
	}
	return nil
}

// siocsifrvnet is SIOCSIFRVNET of sys/sys/sockio.h: _IOWR('i', 91, struct ifreq).
const siocsifrvnet = 0xc020695b

// Reclaim takes an interface back out of the network stack of a jail. It is no mistake where it is not there any more.
func Reclaim(name string, jid int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var ifr struct {
		name [unix.IFNAMSIZ]byte
		jid  int32
		rest [12]byte
	}
	copy(ifr.name[:unix.IFNAMSIZ-1], name)
	ifr.jid = int32(jid)
	err = ioctl(fd, siocsifrvnet, unsafe.Pointer(&ifr))
	if errors.Is(err, unix.ENXIO) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("take %s back: %w", name, err)
	}
	return nil
}

// LinkIn is LinkOf for a tap of another network stack.
func LinkIn(name string, socket func() (int, error)) (Link, bool, error) {
	fd, err := socket()
	if err != nil {
		return Link{}, false, err
	}
	defer unix.Close(fd)
	l := Link{Name: name}
	if strings.TrimRight(name, "0123456789") == "tap" {
		l.Kind = "tap"
	}
	var ifr struct {
		name [unix.IFNAMSIZ]byte
		n    uint32
		rest [12]byte
	}
	copy(ifr.name[:unix.IFNAMSIZ-1], name)
	if err := ioctl(fd, unix.SIOCGIFFLAGS, unsafe.Pointer(&ifr)); errors.Is(err, unix.ENXIO) {
		return l, false, nil
	} else if err != nil {
		return l, false, err
	}
	l.Up = ifr.n&unix.IFF_UP != 0
	if err := ioctl(fd, unix.SIOCGIFMTU, unsafe.Pointer(&ifr)); err != nil {
		return l, true, err
	}
	l.MTU = int(ifr.n)
	var words [256]byte
	describe := struct {
		name   [unix.IFNAMSIZ]byte
		length uintptr
		words  *byte
	}{name: ifr.name, length: uintptr(len(words)), words: &words[0]}
	err = ioctl(fd, unix.SIOCGIFDESCR, unsafe.Pointer(&describe))
	runtime.KeepAlive(&words)
	if err != nil && !errors.Is(err, unix.ENOMSG) {
		return l, true, err
	}
	l.Tag = unix.ByteSliceToString(words[:])
	return l, true, nil
}

// Interfaces are the names and the addresses of all interfaces of a network stack, but for those of the link layer.
func Interfaces(socket func() (int, error)) (names, addresses []string, err error) {
	fd, err := socket()
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(fd)
	buf := make([]byte, 32<<10)
	list := struct { // struct ifconf
		length int32
		buf    *byte
	}{int32(len(buf)), &buf[0]}
	err = ioctl(fd, unix.SIOCGIFCONF, unsafe.Pointer(&list))
	runtime.KeepAlive(buf)
	if err != nil {
		return nil, nil, fmt.Errorf("list the interfaces: %w", err)
	}
	const address, least = 16, 16 // in struct ifreq; a shorter one fills it
	for rest := buf[:max(0, int(list.length))]; len(rest) >= unix.IFNAMSIZ+least; {
		name, size, family := unix.ByteSliceToString(rest[:unix.IFNAMSIZ]), max(int(rest[address]), least), rest[address+1]
		if len(rest) < unix.IFNAMSIZ+size {
			break
		}
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
		if family != unix.AF_LINK && !bytes.Equal(rest[address+2:unix.IFNAMSIZ+size], make([]byte, size-2)) {
			addresses = append(addresses, fmt.Sprintf("%s: family %d, %x", name, family, rest[address+2:unix.IFNAMSIZ+size]))
		}
		rest = rest[unix.IFNAMSIZ+size:]
	}
	return names, addresses, nil
}
