package network

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// On FreeBSD interfaces are made with ifconfig(8). Each of its steps is one or
// two ioctls with structures that differ between releases, and what it says of
// a failure is what an admin would see by hand.

// ifconfig runs one command and returns what it printed.
func ifconfig(args ...string) (string, error) {
	cmd := exec.Command("/sbin/ifconfig", args...)
	cmd.Env = []string{}
	out, err := cmd.CombinedOutput()
	if err != nil {
		words := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(string(out)), "ifconfig:"))
		if words == "" {
			words = err.Error()
		}
		return "", fmt.Errorf("ifconfig %s: %s", strings.Join(args, " "), words)
	}
	return string(out), nil
}

// look reads an interface; false when there is none of that name.
func look(name string) (attributes, bool, error) {
	if _, err := net.InterfaceByName(name); err != nil {
		return attributes{}, false, nil
	}
	out, err := ifconfig(name)
	if err != nil {
		return attributes{}, false, err
	}
	return parseIfconfig(out), true, nil
}

// OpenTap makes a tap, tags it and adds it to a bridge. It stays until DropTap:
// bhyve, not this process, opens it.
func OpenTap(name, tag, bridge string, port Port) (*Tap, error) {
	br, err := findBridge(bridge)
	if err != nil {
		return nil, err
	}
	if _, there, err := look(name); err != nil || there {
		return nil, fmt.Errorf("interface %s: %w", name, errors.Join(err, ErrForeign))
	}
	if _, err := ifconfig(name, "create", "description", tag); err != nil {
		return nil, err
	}
	// if_bridge(4) refuses a member of another MTU, or takes its.
	if br.mtu != 0 {
		if _, err := ifconfig(name, "mtu", strconv.Itoa(br.mtu)); err != nil {
			return nil, errors.Join(err, DropTap(name, tag))
		}
	}
	if _, err := ifconfig(bridge, "addm", name); err != nil {
		return nil, errors.Join(err, DropTap(name, tag))
	}
	if port.Isolated {
		if _, err := ifconfig(bridge, "private", name); err != nil {
			return nil, errors.Join(err, DropTap(name, tag))
		}
	}
	if err := Up(name); err != nil {
		return nil, errors.Join(err, DropTap(name, tag))
	}
	return &Tap{Name: name}, nil
}

// Up brings an interface up. A tap goes down whenever bhyve closes it.
func Up(name string) error {
	_, err := ifconfig(name, "up")
	return err
}

// OpenAdminTap looks for a tap that the admin made. Nothing about it is
// changed.
func OpenAdminTap(name string) (*Tap, error) {
	a, there, err := look(name)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, fmt.Errorf("interface %s: no such interface", name)
	}
	if !slices.Contains(a.groups, "tap") {
		return nil, fmt.Errorf("interface %s: %w", name, ErrNotTap)
	}
	return &Tap{Name: name}, nil
}

// FindBridge looks for a bridge of the admin's.
func FindBridge(name string) error {
	_, err := findBridge(name)
	return err
}

func findBridge(name string) (attributes, error) {
	a, there, err := look(name)
	if err != nil {
		return a, err
	}
	if !there {
		return a, fmt.Errorf("bridge %s: no such interface", name)
	}
	if !slices.Contains(a.groups, "bridge") {
		return a, fmt.Errorf("interface %s: %w", name, ErrNotBridge)
	}
	return a, nil
}

// MakeBridge makes a bridge with our tag when none has the name, and says
// whether it did. One that is there is used as it is, whoever made it.
func MakeBridge(name, tag, uplink string, _ bool) (made bool, err error) {
	a, there, err := look(name)
	if err != nil {
		return false, err
	}
	if there {
		if !slices.Contains(a.groups, "bridge") {
			return false, fmt.Errorf("interface %s: %w", name, ErrNotBridge)
		}
		return false, nil
	}
	if uplink != "" {
		if _, there, err := look(uplink); err != nil || !there {
			return false, fmt.Errorf("uplink %s: %w", uplink, errors.Join(err, errors.New("there is no such interface")))
		}
	}
	if strings.HasPrefix(name, "bridge") && strings.Trim(name[len("bridge"):], "0123456789") == "" {
		_, err = ifconfig(name, "create", "description", tag)
	} else {
		_, err = ifconfig("bridge", "create", "name", name, "description", tag)
	}
	if err != nil {
		if FindBridge(name) == nil {
			return false, nil // another cell was quicker
		}
		return false, err
	}
	if uplink != "" {
		_, err = ifconfig(name, "addm", uplink)
	}
	if err == nil {
		err = Up(name)
	}
	if err != nil {
		_, derr := ifconfig(name, "destroy")
		return false, errors.Join(err, derr)
	}
	return true, nil
}

// DropBridge removes a bridge that carries our tag once no tap is on it any
// more. The uplink is let go with it.
func DropBridge(name, tag, uplink string) error {
	a, there, err := look(name)
	if err != nil || !there || a.description != tag {
		return err
	}
	for _, m := range a.members {
		if m != uplink {
			return nil // in use by another cell, or by the admin
		}
	}
	_, err = ifconfig(name, "destroy")
	if _, there, lerr := look(name); lerr == nil && !there {
		return nil // two cells may leave at once, and each of them is the last
	}
	return err
}

// DropTap removes a tap that carries our tag. It stays busy for a moment after
// bhyve is gone.
func DropTap(name, tag string) error {
	deadline := time.Now().Add(5 * time.Second)
	for {
		a, there, err := look(name)
		if err != nil || !there || a.description != tag {
			return err
		}
		_, err = ifconfig(name, "destroy")
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Has says whether the host has an address.
func Has(ip net.IP) bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip) {
			return true
		}
	}
	return false
}

// LinkOf is what the kernel says of an interface; false where there is none of
// that name.
func LinkOf(name string) (Link, bool, error) {
	a, there, err := look(name)
	if err != nil || !there {
		return Link{}, false, err
	}
	l := a.link(name)
	if at, err := net.InterfaceByName(name); err == nil {
		l.Index = at.Index
	}
	bridges, err := ifconfig("-g", "bridge")
	if err != nil {
		return l, true, err
	}
	for _, b := range strings.Fields(bridges) {
		at, there, err := look(b)
		if err != nil {
			return l, true, err
		}
		if there && slices.Contains(at.members, name) {
			l.Master, l.VLANs = b, at.vlans[name]
		}
	}
	return l, true, nil
}
