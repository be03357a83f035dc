package network

import (
	"testing"

	"github.com/vishvananda/netlink"
)

// A bridge takes the smallest MTU of its ports: a tap joins with the bridge's.
func TestTapTakesTheBridgesMTU(t *testing.T) {
	alone(t, func(t *testing.T) {
		mtu := func(name string) int {
			l, there, err := LinkOf(name)
			if err != nil || !there {
				t.Error(name, there, err)
			}
			return l.MTU
		}
		f, err := attach("jumbo0", 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		jumbo, err := netlink.LinkByName("jumbo0")
		if err == nil {
			err = netlink.LinkSetMTU(jumbo, 9000)
		}
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := MakeBridge("br0", "skep bridge br0", "jumbo0", false); err != nil {
			t.Error(err)
			return
		}
		if got := mtu("br0"); got != 9000 {
			t.Errorf("the bridge has %d before a cell joins", got)
		}
		tap, err := OpenTap("skep0n0", "skep tap a lan", "br0", Port{})
		if err != nil {
			t.Error(err)
			return
		}
		if b, p := mtu("br0"), mtu("skep0n0"); b != 9000 || p != 9000 {
			t.Errorf("with a cell the bridge has %d, its tap %d", b, p)
		}
		l, _, err := LinkOf("skep0n0")
		if err != nil || l.Kind != "tap" || l.Master != "br0" || l.Tag != "skep tap a lan" || !l.Up || l.MAC == "" {
			t.Errorf("%+v, %v", l, err)
		}
		tap.File.Close()
		if got := mtu("br0"); got != 9000 {
			t.Errorf("the bridge has %d after the cell", got)
		}
		if _, there, err := LinkOf("skep0n0"); there || err != nil {
			t.Error(there, err)
		}
	})
}

// A tap of the admin's with several queues is opened as one of them.
func TestMultiQueueTap(t *testing.T) {
	alone(t, func(t *testing.T) {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "tap0"
		made := &netlink.Tuntap{LinkAttrs: attrs, Mode: netlink.TUNTAP_MODE_TAP, Queues: 2,
			Flags: netlink.TUNTAP_MULTI_QUEUE | netlink.TUNTAP_VNET_HDR | netlink.TUNTAP_NO_PI}
		if err := netlink.LinkAdd(made); err != nil {
			t.Skip(err)
		}
		for _, f := range made.Fds {
			f.Close()
		}
		tap, err := OpenAdminTap("tap0")
		if err != nil {
			t.Error(err)
			return
		}
		tap.File.Close()
	})
}
