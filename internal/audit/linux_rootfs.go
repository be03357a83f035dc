package audit

import (
	"fmt"
	"strconv"
	"strings"

	"skep/internal/layer"
)

// rootfs: what it can reach.
func (a *linuxAudit) rootfs() {
	for _, n := range namespaces {
		id := "ns-" + n
		switch {
		case a.NS[n] == "":
			if n != "time" {
				a.add(GroupPlace, id, Unknown, "its own", "cannot be read")
			}
		case a.NS[n] == a.HostNS[n]:
			if n == "time" && a.waived(layer.TimeNamespace) {
				a.info(GroupPlace, id, "the host's")
				continue
			}
			a.add(GroupPlace, id, Missing, "its own", "the host's, "+a.NS[n])
		case len(a.InNamespace[n]) > 0:
			a.add(GroupPlace, id, Extra, "no other process in it", summary(a.InNamespace[n]))
		default:
			a.add(GroupPlace, id, Seen, "its own, and no other process in it", a.NS[n])
		}
	}
	files, nodes, mounts := 0, 0, 1
	if a.state != nil && a.state.Reach != nil {
		files, nodes, mounts = a.state.Reach.Files, a.state.Reach.Nodes, a.state.Reach.Mounts
	}
	for _, r := range []struct {
		id   string
		want int
		got  []string
	}{{"files", files, a.Files}, {"nodes", nodes, a.Nodes}} {
		// Too many are too many, whatever could not be read.
		if len(a.Unread) > 0 && len(r.got) <= r.want {
			a.add(GroupPlace, r.id, Unknown, strconv.Itoa(r.want), "cannot be read: "+summary(a.Unread))
		} else {
			a.count(r.id, r.want, r.got)
		}
	}
	points := make([]string, len(a.Mounts))
	var loose []string
	for i, m := range a.Mounts {
		points[i] = m.Point + " (" + m.Kind + ")"
		opts := "," + m.Options + ","
		for _, o := range []string{"ro", "nosuid", "nodev", "noexec"} {
			if !strings.Contains(opts, ","+o+",") && !(o == "noexec" && files > 0) && !(o == "nodev" && nodes > 0) {
				loose = append(loose, m.Point+" is not "+o)
			}
		}
	}
	if len(a.Mounts) == 0 {
		a.add(GroupPlace, "mounts", Unknown, strconv.Itoa(mounts), "cannot be read")
		a.add(GroupPlace, "mount-flags", Unknown, "read-only, nosuid, nodev, noexec", "cannot be read")
	} else {
		a.count("mounts", mounts, points)
		a.none(GroupPlace, "mount-flags", "read-only, nosuid, nodev, noexec", loose)
	}
	var devices []string
	for _, d := range a.Devices {
		if d != "lo" {
			devices = append(devices, d)
		}
	}
	if a.Devices == nil {
		a.add(GroupPlace, "network-devices", Unknown, "no network device but lo", "cannot be read")
	} else {
		a.none(GroupPlace, "network-devices", "no network device but lo", devices)
	}
	if !a.AddressRead {
		a.add(GroupPlace, "network-addresses", Unknown, "no network address", "cannot be read")
	} else {
		a.none(GroupPlace, "network-addresses", "no network address", a.Address)
	}
	a.environ(a.Environ >= 0, orNot(a.Environ <= 0, fmt.Sprintf("%d bytes", a.Environ)))
}
