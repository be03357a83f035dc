package network

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
)

// LinkOf is what the kernel says of an interface; false where there is none of
// that name.
func LinkOf(name string) (Link, bool, error) {
	link, err := netlink.LinkByName(name)
	var gone netlink.LinkNotFoundError
	if errors.As(err, &gone) {
		return Link{}, false, nil
	}
	if err != nil {
		return Link{}, false, fmt.Errorf("interface %s: %w", name, err)
	}
	at := link.Attrs()
	l := Link{Name: at.Name, Kind: link.Type(), Index: at.Index, MTU: at.MTU, MAC: at.HardwareAddr.String(), Tag: at.Alias, Up: at.Flags&net.FlagUp != 0}
	if tt, ok := link.(*netlink.Tuntap); ok && tt.Mode == netlink.TUNTAP_MODE_TAP {
		l.Kind = "tap"
	}
	if at.MasterIndex == 0 {
		return l, true, nil
	}
	master, err := netlink.LinkByIndex(at.MasterIndex)
	if err != nil {
		return l, true, fmt.Errorf("what %s is on: %w", name, err)
	}
	l.Master, l.Port = master.Attrs().Name, portOf(link)
	vlans, err := dump(netlink.BridgeVlanList)
	if err != nil {
		return l, true, fmt.Errorf("the VLANs of %s: %w", name, err)
	}
	var all []string
	for _, v := range vlans[int32(at.Index)] {
		s := strconv.Itoa(int(v.Vid))
		if v.PortVID() {
			s += " pvid"
		}
		if v.EngressUntag() {
			s += " untagged"
		}
		all = append(all, s)
	}
	l.VLANs = strings.Join(all, ", ")
	return l, true, nil
}
