package network

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// alone runs a test in a network namespace of its own, on a thread that is
// thrown away with it.
func alone(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a network namespace with taps needs root")
	}
	if _, err := os.Stat(tunDevice); err != nil {
		t.Skip(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		f(t)
	}()
	<-done
}

func links(t *testing.T) (names []string) {
	all, err := netlink.LinkList()
	if err != nil {
		t.Error(err)
	}
	for _, l := range all {
		if l.Attrs().Name != "lo" {
			names = append(names, l.Attrs().Name)
		}
	}
	return names
}

func TestTapOnABridge(t *testing.T) {
	alone(t, func(t *testing.T) {
		made, err := MakeBridge("br0", "skep bridge br0", "", false)
		if err != nil || !made {
			t.Error(made, err)
			return
		}
		tap, err := OpenTap("skep0n0", "skep tap a lan", "br0", Port{})
		if err != nil {
			t.Error(err)
			return
		}
		l, err := netlink.LinkByName("skep0n0")
		br, _ := netlink.LinkByName("br0")
		if err != nil || l.Attrs().Alias != "skep tap a lan" || l.Attrs().MasterIndex != br.Attrs().Index || l.Attrs().Flags&1 == 0 {
			t.Errorf("%+v, %v", l, err)
		}
		// A bridge of ours that is in use stays.
		if err := DropBridge("br0", "skep bridge br0", ""); err != nil || len(links(t)) != 2 {
			t.Error(err, links(t))
		}
		// Whoever dies, the tap goes with its last descriptor.
		tap.File.Close()
		if got := links(t); len(got) != 1 {
			t.Errorf("after the tap was closed there are %v", got)
		}
		if err := DropBridge("br0", "skep bridge br0", ""); err != nil || len(links(t)) != 0 {
			t.Error(err, links(t))
		}
		// What is gone already is no error.
		if err := errors.Join(DropBridge("br0", "skep bridge br0", ""), DropTap("skep0n0", "skep tap a lan")); err != nil {
			t.Error(err)
		}
	})
}

// Only an exact tag makes a thing ours.
func TestForeignThingsAreLeftAlone(t *testing.T) {
	alone(t, func(t *testing.T) {
		for _, name := range []string{"br0", "skep0n0"} {
			attrs := netlink.NewLinkAttrs()
			attrs.Name = name
			if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
				t.Error(err)
				return
			}
		}
		if made, err := MakeBridge("br0", "skep bridge br0", "", false); made || err != nil {
			t.Error("the admin's bridge:", made, err)
		}
		if _, err := OpenTap("skep0n0", "skep tap a lan", "br0", Port{}); !errors.Is(err, ErrForeign) {
			t.Errorf("a foreign interface of our tap's name: %v", err)
		}
		if err := errors.Join(DropBridge("br0", "skep bridge br0", ""), DropTap("skep0n0", "skep tap a lan")); err != nil {
			t.Error(err)
		}
		if got := links(t); len(got) != 2 {
			t.Errorf("there are %v, two were not ours", got)
		}
		if err := FindBridge("lo"); !errors.Is(err, ErrNotBridge) {
			t.Error(err)
		}
		if err := FindBridge("br9"); err == nil {
			t.Error("a bridge that is not there was found")
		}
		if _, err := OpenAdminTap("br0"); !errors.Is(err, ErrNotTap) {
			t.Error(err)
		}
		if _, err := MakeBridge("br1", "skep bridge br1", "nowhere0", false); err == nil {
			t.Error("an uplink that is not there was added")
		}
		if got := links(t); len(got) != 2 {
			t.Errorf("a bridge whose uplink is missing was left: %v", got)
		}
	})
}

// The admin's tap is opened and nothing about it changes.
func TestAdminTap(t *testing.T) {
	alone(t, func(t *testing.T) {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "tap0"
		if err := netlink.LinkAdd(&netlink.Tuntap{LinkAttrs: attrs, Mode: netlink.TUNTAP_MODE_TAP, Flags: netlink.TUNTAP_VNET_HDR | netlink.TUNTAP_NO_PI}); err != nil {
			t.Skip(err)
		}
		tap, err := OpenAdminTap("tap0")
		if err != nil {
			t.Error(err)
			return
		}
		tap.File.Close()
		l, err := netlink.LinkByName("tap0")
		if err != nil || l.Attrs().Alias != "" {
			t.Errorf("%+v, %v", l, err)
		}
	})
}
