package network

import (
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// tunDevice makes taps: Documentation/networking/tuntap.rst.
const tunDevice = "/dev/net/tun"

// OpenTap makes a tap, tags it and adds it to a bridge. The tap is not
// persistent: it goes when the last descriptor of it is closed, whoever dies.
func OpenTap(name, tag, bridge string, port Port) (*Tap, error) {
	if _, err := netlink.LinkByName(name); err == nil {
		return nil, fmt.Errorf("interface %s: %w", name, ErrForeign)
	}
	br, err := bridgeLink(bridge)
	if err != nil {
		return nil, fmt.Errorf("bridge %s: %w", bridge, err)
	}
	f, err := attach(name, 0)
	if err != nil {
		return nil, err
	}
	done := false
	defer func() {
		if !done {
			f.Close()
		}
	}()
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", name, err)
	}
	if err := netlink.LinkSetAlias(link, tag); err != nil {
		return nil, fmt.Errorf("tag interface %s: %w", name, err)
	}
	// A bridge takes the smallest MTU of its ports, so a tap that joined with 1500
	// would cut what all others there may send.
	if mtu := br.Attrs().MTU; mtu != link.Attrs().MTU {
		if err := netlink.LinkSetMTU(link, mtu); err != nil {
			return nil, fmt.Errorf("give %s the MTU of bridge %s, %d: %w", name, bridge, mtu, err)
		}
	}
	if err := netlink.LinkSetMaster(link, br); err != nil {
		return nil, fmt.Errorf("add %s to bridge %s: %w", name, bridge, err)
	}
	if err := port.ask(link, br); err != nil {
		return nil, err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return nil, fmt.Errorf("bring %s up: %w", name, err)
	}
	done = true
	return &Tap{Name: name, File: f}, nil
}

// OpenAdminTap opens a tap that the admin made. Nothing about it is changed.
func OpenAdminTap(name string) (*Tap, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil, found(err)
	}
	tt, ok := link.(*netlink.Tuntap)
	if !ok || tt.Mode != netlink.TUNTAP_MODE_TAP {
		return nil, ErrNotTap
	}
	// One that has several queues is opened as one of them; it is a tap as any
	// other then, since all packets go to the queues that somebody has.
	f, err := attach(name, uint16(tt.Flags&netlink.TUNTAP_MULTI_QUEUE))
	if err != nil {
		return nil, err
	}
	return &Tap{Name: name, File: f}, nil
}

// attach opens the tap of that name through the clone device, making it when
// it is not there. more are flags that it must have because the tap has them.
func attach(name string, more uint16) (*os.File, error) {
	fd, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: tunDevice, Err: err}
	}
	req, err := unix.NewIfreq(name)
	if err == nil {
		// IFF_VNET_HDR lets QEMU hand checksums and segmentation through; it is
		// a property of the descriptor and gives the guest nothing more.
		req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR | more)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("attach to tap %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), "tap "+name), nil
}

// found says plainly that an interface is not there.
func found(err error) error {
	var gone netlink.LinkNotFoundError
	if errors.As(err, &gone) {
		return errors.New("no such interface")
	}
	return err
}

// FindBridge looks for a bridge of the admin's.
func FindBridge(name string) error {
	_, err := bridgeLink(name)
	return err
}

func bridgeLink(name string) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil, found(err)
	}
	if link.Type() != "bridge" {
		return nil, ErrNotBridge
	}
	return link, nil
}

// MakeBridge makes a bridge with our tag when none has the name, and says
// whether it did. One that is there is used as it is, whoever made it.
func MakeBridge(name, tag, uplink string, vlans bool) (made bool, err error) {
	if link, err := netlink.LinkByName(name); err == nil {
		if link.Type() != "bridge" {
			return false, fmt.Errorf("interface %s: %w", name, ErrNotBridge)
		}
		return false, nil
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	br := &netlink.Bridge{LinkAttrs: attrs}
	if vlans {
		br.VlanFiltering = &vlans
	}
	if err := netlink.LinkAdd(br); err != nil {
		if errors.Is(err, unix.EEXIST) {
			return false, nil // another cell was quicker
		}
		if vlans && errors.Is(err, unix.EOPNOTSUPP) {
			err = fmt.Errorf("%w: %w", ErrNoVLANs, err)
		}
		return false, fmt.Errorf("make bridge %s: %w", name, err)
	}
	undo := func(err error) (bool, error) {
		_ = netlink.LinkDel(br)
		return false, err
	}
	if err := netlink.LinkSetAlias(br, tag); err != nil {
		return undo(fmt.Errorf("tag bridge %s: %w", name, err))
	}
	if uplink != "" {
		up, err := netlink.LinkByName(uplink)
		if err != nil {
			return undo(fmt.Errorf("uplink %s: %w", uplink, err))
		}
		if err := netlink.LinkSetMaster(up, br); err != nil {
			return undo(fmt.Errorf("add uplink %s to bridge %s: %w", uplink, name, err))
		}
	}
	if err := netlink.LinkSetUp(br); err != nil {
		return undo(fmt.Errorf("bring bridge %s up: %w", name, err))
	}
	return true, nil
}

// DropBridge removes a bridge that carries our tag once no tap is on it any
// more. The uplink is let go with it.
func DropBridge(name, tag, uplink string) error {
	link, err := netlink.LinkByName(name)
	var gone netlink.LinkNotFoundError
	if errors.As(err, &gone) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("bridge %s: %w", name, err)
	}
	if link.Attrs().Alias != tag {
		return nil // not ours
	}
	all, err := dump(netlink.LinkList)
	if err != nil {
		return fmt.Errorf("list the ports of bridge %s: %w", name, err)
	}
	for _, l := range all {
		if l.Attrs().MasterIndex == link.Attrs().Index && l.Attrs().Name != uplink {
			return nil // in use by another cell, or by the admin
		}
	}
	// Two cells may leave at once, and each of them is the last.
	if err := netlink.LinkDel(link); !errors.Is(err, unix.ENODEV) {
		return err
	}
	return nil
}

// DropTap removes a tap that carries our tag, should a descriptor of it still
// be open somewhere.
func DropTap(name, tag string) error {
	link, err := netlink.LinkByName(name)
	var gone netlink.LinkNotFoundError
	if errors.As(err, &gone) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("tap %s: %w", name, err)
	}
	if link.Attrs().Alias != tag {
		return nil // not ours
	}
	err = netlink.LinkDel(link)
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// dump asks the kernel for a list until it has one that nothing was changed in while it was told: cells come
// and go at any time.
func dump[T any](list func() (T, error)) (all T, err error) {
	for range dumpTries {
		if all, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return all, err
}

// dumpTries is how often a list is asked for.
const dumpTries = 100
