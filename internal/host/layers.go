package host

import (
	"slices"

	"skep/internal/layer"
)

// WithFacts completes what the jail found out about its layers with those that
// hang on facts which only this package looks at: whose numbers a cell may
// have, and which Controllers limit it.
func WithFacts(found map[layer.ID]layer.Probe, f Facts) map[layer.ID]layer.Probe {
	out := make(map[layer.ID]layer.Probe, len(found)+5)
	for id, p := range found {
		out[id] = p
	}
	switch {
	case f.EUID == 0 && f.Slots.Clash != "":
		// A cell that shares its uid can be signalled and can signal.
		out[layer.OwnUID] = layer.Probe{State: layer.Lacking, Detail: f.Slots.Clash + ": move the range with " + EnvUIDBase}
	case f.EUID != 0 && f.Linux.SubID == nil:
		out[layer.OwnUID] = layer.Probe{State: layer.Unprivileged, Detail: "no range in /etc/subuid and /etc/subgid, or no newuidmap"}
	}
	for id, controller := range map[layer.ID]string{
		layer.CgroupMemory: "memory", layer.CgroupPids: "pids", layer.CgroupCPU: "cpu",
	} {
		g := f.Linux.Cgroup
		p := layer.Probe{State: layer.Have, Detail: "on " + treeOf(g, controller)}
		if !slices.Contains(g.Controllers, controller) {
			p = layer.Probe{State: layer.Lacking, Detail: g.Why}
			if f.EUID != 0 {
				p = layer.Probe{State: layer.Unprivileged, Detail: "no cgroup of this user's has the " + controller + " controller"}
			}
		}
		out[id] = p
	}
	return out
}

func treeOf(g Cgroup, controller string) string {
	if d := g.V1[controller]; d != "" {
		return "v1, " + d
	}
	return "v2, " + g.V2
}
