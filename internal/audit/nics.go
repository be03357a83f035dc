package audit

import (
	"strconv"

	"skep/internal/network"
	"skep/internal/plan"
)

// lookUp is what the kernel says of an interface; false where there is none.
type lookUp func(name string) (network.Link, bool, error)

// nics compares the host's end of each network card with its plan, and with what
// it was when the guest was prepared: a card on another bridge is a guest in
// another network. then is nil for a cell that an older skep has started.
func (j *judge) nics(taps []*plan.Tap, then map[string]network.Link, look lookUp) {
	for _, t := range taps {
		now, there, err := look(t.Name)
		was, recorded := then[t.Label]
		id := "nic-" + t.Label
		if err != nil {
			j.add(GroupNetwork, id+"-tap", Unknown, t.Name, "cannot be read: "+err.Error())
			continue
		}
		if !j.nicTap(id+"-tap", t, now, there, was, recorded) {
			continue
		}
		master := was.Master
		if !t.Admin {
			master = t.Bridge
		}
		for _, row := range []struct {
			what, want, got string
			known           bool
		}{
			{"master", orWords(master, "on no bridge"), orWords(now.Master, "on no bridge"), recorded || !t.Admin},
			{"mac", was.MAC, now.MAC, recorded},
			{"mtu", strconv.Itoa(was.MTU), strconv.Itoa(now.MTU), recorded},
			{"port", orWords(portOf(t).String(), "as any other"), orWords(seenPort(now).String(), "as any other"), t.OS == "linux" && !t.Admin},
			{"vlan", orWords(was.VLANs, "none"), orWords(now.VLANs, "none"), recorded},
		} {
			switch {
			case !row.known && row.what == "port":
			case !row.known:
				j.info(GroupNetwork, id+"-"+row.what, row.got+" (nobody recorded what it was)")
			case row.want != row.got:
				j.add(GroupNetwork, id+"-"+row.what, Missing, row.want, row.got)
			default:
				j.add(GroupNetwork, id+"-"+row.what, Seen, row.want, row.got)
			}
		}
	}
}

// nicTap says whether the tap is the one that the guest was given.
func (j *judge) nicTap(id string, t *plan.Tap, now network.Link, there bool, was network.Link, recorded bool) bool {
	want := t.Name
	if t.Tag != "" {
		want += " with the tag " + strconv.Quote(t.Tag)
	}
	why := ""
	switch {
	case !there:
		why = "there is no interface " + t.Name
	case now.Kind != "tap":
		why = t.Name + " is not a tap"
	case now.Tag != t.Tag && !t.Admin:
		why = "its tag is " + strconv.Quote(now.Tag)
	case recorded && was.Index != 0 && was.Index != now.Index: // 0: an older skep took the record
		why = "another interface has its name"
	case recorded && was.Up && !now.Up:
		why = "it is down"
	}
	if why != "" {
		j.add(GroupNetwork, id, Missing, want, why)
		return there && now.Kind == "tap"
	}
	j.add(GroupNetwork, id, Seen, want, want)
	return true
}

// portOf is what the plan has done with what passes on a tap; seenPort is what is. The VLANs have a row of their own,
// and are compared with what they were.
func portOf(t *plan.Tap) network.Port {
	return network.Port{Isolated: t.Isolated, RateIn: uint64(t.RateIn), RateOut: uint64(t.RateOut)}
}

func seenPort(l network.Link) network.Port {
	l.Port.VLAN = 0
	return l.Port
}
