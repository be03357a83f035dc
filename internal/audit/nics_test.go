package audit

import (
	"errors"
	"testing"

	"skep/internal/network"
	"skep/internal/plan"
)

// Whatever of the host's end of a card is not as it was fails the row that is
// about it, on both systems.
func TestNICs(t *testing.T) {
	ours := &plan.Tap{Label: "lan", Name: "skep1n0", Bridge: "br0", Tag: "skep tap a lan"}
	admins := &plan.Tap{Label: "lan", Name: "tap0", Admin: true}
	was := network.Link{Name: "skep1n0", Kind: "tap", Index: 7, Master: "br0", MTU: 9000, MAC: "02:00:00:00:00:01", VLANs: "1 pvid untagged", Tag: "skep tap a lan", Up: true}
	for name, tt := range map[string]struct {
		tap   *plan.Tap
		then  bool
		do    func(*network.Link)
		gone  bool
		err   error
		row   string // the one that fails; "" is none
		value Verdict
	}{
		"as it was":           {tap: ours, then: true},
		"the admin's":         {tap: admins, then: true},
		"of an older skep":    {tap: ours},
		"its, and the admin":  {tap: admins},
		"gone":                {tap: ours, then: true, gone: true, row: "nic-lan-tap", value: Missing},
		"cannot be read":      {tap: ours, then: true, err: errors.New("EPERM"), row: "nic-lan-tap", value: Unknown},
		"no tap any more":     {tap: ours, then: true, do: func(l *network.Link) { l.Kind = "dummy" }, row: "nic-lan-tap", value: Missing},
		"another's tag":       {tap: ours, then: true, do: func(l *network.Link) { l.Tag = "skep tap b lan" }, row: "nic-lan-tap", value: Missing},
		"made anew":           {tap: ours, then: true, do: func(l *network.Link) { l.Index = 9 }, row: "nic-lan-tap", value: Missing},
		"down":                {tap: ours, then: true, do: func(l *network.Link) { l.Up = false }, row: "nic-lan-tap", value: Missing},
		"on another bridge":   {tap: ours, then: true, do: func(l *network.Link) { l.Master = "br1" }, row: "nic-lan-master", value: Missing},
		"the same, older":     {tap: ours, do: func(l *network.Link) { l.Master = "br1" }, row: "nic-lan-master", value: Missing},
		"its bridge deleted":  {tap: ours, then: true, do: func(l *network.Link) { l.Master = "" }, row: "nic-lan-master", value: Missing},
		"the admin's, moved":  {tap: admins, then: true, do: func(l *network.Link) { l.Master = "br1" }, row: "nic-lan-master", value: Missing},
		"another address":     {tap: ours, then: true, do: func(l *network.Link) { l.MAC = "02:00:00:00:00:02" }, row: "nic-lan-mac", value: Missing},
		"another MTU":         {tap: ours, then: true, do: func(l *network.Link) { l.MTU = 1500 }, row: "nic-lan-mtu", value: Missing},
		"in another VLAN":     {tap: ours, then: true, do: func(l *network.Link) { l.VLANs = "20 pvid untagged" }, row: "nic-lan-vlan", value: Missing},
		"in one VLAN besides": {tap: ours, then: true, do: func(l *network.Link) { l.VLANs += ", 20" }, row: "nic-lan-vlan", value: Missing},
	} {
		now := was
		if tt.do != nil {
			tt.do(&now)
		}
		var then map[string]network.Link
		if tt.then {
			then = map[string]network.Link{"lan": was}
		}
		var j judge
		j.nics([]*plan.Tap{tt.tap}, then, func(string) (network.Link, bool, error) { return now, !tt.gone, tt.err })
		for _, r := range j.report("a", 1).Rows {
			switch {
			case r.ID == tt.row && r.Verdict != tt.value, r.ID != tt.row && r.Verdict.Bad():
				t.Errorf("%s: %s is %s: %s, want %s", name, r.ID, r.Verdict, r.Seen, r.Want)
			}
			if r.ID == tt.row {
				tt.row = ""
			}
		}
		if tt.row != "" {
			t.Errorf("%s: there is no row %s", name, tt.row)
		}
	}
}
