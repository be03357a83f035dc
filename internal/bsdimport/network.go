package bsdimport

import (
	"slices"
	"strings"

	"skep/internal/cell"
	"skep/internal/jailconf"
)

// source is a file of any of the formats.
type source = jailconf.Source

// bridgeOf finds the bridge that rc.conf(5) adds a tap to. The tap and the
// bridge stay the administrator's.
func (i *importer) bridgeOf(tap string) {
	if i.rc == nil {
		return
	}
	var names []string
	for name := range i.rc {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		bridge, ok := strings.CutPrefix(name, "ifconfig_")
		if !ok {
			continue
		}
		words := strings.Fields(i.rc[name])
		for n := 1; n < len(words); n++ {
			if words[n-1] == "addm" && words[n] == tap {
				i.warn(Network, i.in.RCConf.Name, "%s stays the host's, on %s; nic { bridge = %q } instead of tap lets skep make a tap for each start and take it away after", tap, bridge, bridge)
				return
			}
		}
	}
	i.warn(Network, i.in.RCConf.Name, "no bridge of this file has %s as a member: where the guest's packets went is unknown, as a script or another file may have said it", tap)
}

// start says whether the host started the jail by itself: jail_enable, and
// jail_list, which means every jail where it is empty.
func (i *importer) start() {
	if i.rc == nil {
		return
	}
	list := strings.Fields(i.rc["jail_list"])
	if !yes(i.rc["jail_enable"]) || len(list) > 0 && !slices.Contains(list, i.in.Jail) {
		return
	}
	i.cell.Start = cell.StartBoot
	i.warn(JailSet, i.in.RCConf.Name, "the host starts the old jail by itself; take it out of jail_list when the cell takes its place")
}
