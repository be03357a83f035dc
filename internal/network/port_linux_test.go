package network

import (
	"errors"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// lacks says of an error whether it is the kernel that lacks something.
func lacks(err error) bool {
	return errors.Is(err, ErrNoVLANs) || errors.Is(err, ErrNoPolicing) || errors.Is(err, ErrNoShaping)
}

// A port is what the cell file says, or there is none: a kernel that cannot do it is named.
func TestPort(t *testing.T) {
	for name, want := range map[string]Port{"isolated": {Isolated: true}, "rate in": {RateIn: 1 << 20}, "rate out": {RateOut: 1 << 20}, "vlan": {VLAN: 20}} {
		t.Run(name, func(t *testing.T) {
			alone(t, func(t *testing.T) {
				if _, err := MakeBridge("br0", "skep bridge br0", "", want.VLAN > 0); err != nil {
					if !lacks(err) {
						t.Error(err)
					}
					t.Log("this kernel cannot: ", err)
					return
				}
				tap, err := OpenTap("skep0n0", "skep tap a lan", "br0", want)
				if lacks(err) {
					t.Log("this kernel cannot: ", err)
					if got := links(t); len(got) != 1 {
						t.Errorf("a card that cannot be limited is there all the same: %v", got)
					}
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				defer tap.File.Close()
				l, there, err := LinkOf("skep0n0")
				if err != nil || !there {
					t.Error(there, err)
				}
				if want.VLAN > 0 {
					if l.VLANs != "20 pvid untagged" {
						t.Errorf("its VLANs are %q", l.VLANs)
					}
				} else if l.Port != want {
					t.Errorf("%+v, want %+v", l.Port, want)
				}
			})
		})
	}
}

// A bridge of the admin's that does not tell VLANs apart would put the guest among all others.
func TestVLANWithoutFiltering(t *testing.T) {
	alone(t, func(t *testing.T) {
		if _, err := MakeBridge("br0", "skep bridge br0", "", false); err != nil {
			t.Error(err)
			return
		}
		if _, err := OpenTap("skep0n0", "skep tap a lan", "br0", Port{VLAN: 20}); !errors.Is(err, ErrNoVLANs) {
			t.Errorf("%v", err)
		}
		if got := links(t); len(got) != 1 {
			t.Errorf("there are %v", got)
		}
	})
}

// Two isolated cards hear nothing of each other, and both hear one that is not.
func TestIsolatedPorts(t *testing.T) {
	alone(t, func(t *testing.T) {
		if _, err := MakeBridge("br0", "skep bridge br0", "", false); err != nil {
			t.Error(err)
			return
		}
		taps := map[string]*Tap{}
		for name, p := range map[string]Port{"a0": {Isolated: true}, "b0": {Isolated: true}, "c0": {}} {
			tap, err := OpenTap(name, "skep tap "+name, "br0", p)
			if err != nil {
				t.Error(err)
				return
			}
			defer tap.File.Close()
			taps[name] = tap
		}
		br, err := netlink.LinkByName("br0")
		if err != nil || netlink.LinkSetUp(br) != nil {
			t.Error(err)
		}
		heard := func(of, text string) bool {
			frame := append(make([]byte, 10), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5)
			frame = append(append(frame, text...), make([]byte, 46)...)
			if _, err := taps["a0"].File.Write(frame); err != nil {
				t.Error(err)
			}
			b := make([]byte, 4096)
			for range 20 {
				n, err := unix.Read(int(taps[of].File.Fd()), b)
				if err != nil {
					return false // nothing is there: a frame passes within the write
				}
				if n > 24+len(text) && string(b[24:24+len(text)]) == text {
					return true
				}
			}
			return false
		}
		if !heard("c0", "to c") {
			t.Error("one that is not isolated does not hear an isolated one")
		}
		if heard("b0", "to b") {
			t.Error("an isolated one hears another")
		}
	})
}
