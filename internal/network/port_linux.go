package network

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// burst is how much may pass at once for a rate: what comes in a tenth of a second, and a few full frames at least.
func burst(rate uint64) uint32 { return uint32(min(max(rate/10, 128<<10), 16<<20)) }

// ask has a port do what it is to. Nothing has passed on it yet.
func (p Port) ask(link, bridge netlink.Link) error {
	name := link.Attrs().Name
	if p.VLAN > 0 {
		br, ok := bridge.(*netlink.Bridge)
		if !ok || br.VlanFiltering == nil || !*br.VlanFiltering {
			return fmt.Errorf("put %s into VLAN %d: %w", name, p.VLAN, ErrNoVLANs)
		}
		vlans, err := dump(netlink.BridgeVlanList)
		if err != nil {
			return fmt.Errorf("the VLANs of %s: %w", name, err)
		}
		for _, v := range vlans[int32(link.Attrs().Index)] {
			if err := netlink.BridgeVlanDel(link, v.Vid, v.PortVID(), v.EngressUntag(), false, true); err != nil {
				return fmt.Errorf("take %s out of VLAN %d: %w", name, v.Vid, err)
			}
		}
		if err := netlink.BridgeVlanAdd(link, uint16(p.VLAN), true, true, false, true); err != nil {
			return fmt.Errorf("put %s into VLAN %d: %w", name, p.VLAN, err)
		}
	}
	if p.Isolated {
		if err := netlink.LinkSetIsolated(link, true); err != nil {
			return fmt.Errorf("isolate %s: %w", name, err)
		}
	}
	if p.RateIn > 0 {
		tbf := &netlink.Tbf{QdiscAttrs: netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT},
			Rate: p.RateIn, Limit: burst(p.RateIn) + uint32(min(p.RateIn/20, 16<<20)), Buffer: netlink.Xmittime(p.RateIn, burst(p.RateIn))}
		if err := netlink.QdiscReplace(tbf); err != nil {
			return fmt.Errorf("limit %s: %w", name, lacking(err, ErrNoShaping))
		}
	}
	if p.RateOut > 0 {
		return p.police(link)
	}
	return nil
}

// police drops what an interface receives too fast.
func (p Port) police(link netlink.Link) error {
	name, index := link.Attrs().Name, link.Attrs().Index
	in := &netlink.Ingress{QdiscAttrs: netlink.QdiscAttrs{LinkIndex: index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_INGRESS}}
	if err := netlink.QdiscReplace(in); err != nil {
		return fmt.Errorf("limit %s: %w", name, lacking(err, ErrNoPolicing))
	}
	action := netlink.NewPoliceAction()
	action.Rate, action.Burst, action.ExceedAction = uint32(p.RateOut), burst(p.RateOut), netlink.TC_POLICE_SHOT
	action.Mtu = 128 << 10 // what a guest sends in segments comes as one packet of 64 KiB, which a smaller one would drop
	err := netlink.FilterAdd(&netlink.MatchAll{FilterAttrs: netlink.FilterAttrs{LinkIndex: index, Parent: netlink.MakeHandle(0xffff, 0), Priority: 1,
		Protocol: unix.ETH_P_ALL}, Actions: []netlink.Action{action}})
	if err != nil {
		return fmt.Errorf("limit %s: %w", name, lacking(err, ErrNoPolicing))
	}
	return nil
}

// lacking tells of a kernel that was built without what is asked for.
func lacking(err, what error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("%w: %w", what, err)
	}
	return err
}

// portOf is what is done with what passes on an interface. Its VLANs are told apart from it.
func portOf(link netlink.Link) (p Port) {
	if info, err := dump(func() (netlink.Protinfo, error) { return netlink.LinkGetProtinfo(link) }); err == nil {
		p.Isolated = info.Isolated
	}
	all, _ := dump(func() ([]netlink.Qdisc, error) { return netlink.QdiscList(link) })
	for _, q := range all {
		if tbf, ok := q.(*netlink.Tbf); ok {
			p.RateIn = tbf.Rate
		}
	}
	filters, _ := dump(func() ([]netlink.Filter, error) { return netlink.FilterList(link, netlink.MakeHandle(0xffff, 0)) })
	for _, f := range filters {
		if m, ok := f.(*netlink.MatchAll); ok {
			for _, a := range m.Actions {
				if police, ok := a.(*netlink.PoliceAction); ok {
					p.RateOut = uint64(police.Rate)
				}
			}
		}
	}
	return p
}
