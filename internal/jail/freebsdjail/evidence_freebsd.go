package freebsdjail

import (
	"fmt"

	"skep/internal/kinfo"
	"skep/internal/layer"
	"skep/internal/process"
)

// Evidence is what the kernel itself says of the live process, asked from
// outside: what the keeper records of a start. The audit looks at all the rest.
// jid is the jail that the process should be in.
func Evidence(pid, jid int) []layer.Decision {
	var all []layer.Decision
	add := func(id string, seen bool, is, not string) {
		d := layer.Decision{ID: layer.ID(id), Verdict: layer.Applied, Detail: is}
		if !seen {
			d.Verdict, d.Detail = layer.Missing, not
		}
		all = append(all, d)
	}
	info, err := process.Look(pid)
	if err != nil {
		add("process", false, "", err.Error())
		return all
	}
	c := Controls(pid)
	add("aslr", c.ASLRForced() && c.ASLRActive(), c.ASLRText(), "not forced, or not active: "+c.ASLRText())
	add("wxorx", c.WXEnforced(), "no mapping is writable and executable: enforced", "not enforced")
	add("no-setuid", c.PrivsFixed(), "no new privileges", "new privileges can be had")
	add("no-trace", c.Untraceable(), "cannot be traced, and dumps no core", "can be traced")
	add("jail", info.JID == jid && jid != 0, fmt.Sprintf("jid %d", info.JID), fmt.Sprintf("jid %d, not %d", info.JID, jid))
	add("capsicum", info.Capability, "in capability mode: no name of any name space can be opened", "not in capability mode")
	return all
}

// Controls asks procctl(2) about a process. What this kernel does not know, or
// does not tell, stays nil.
func Controls(pid int) kinfo.Controls {
	ask := func(command int) *int32 {
		v := new(int32)
		if err := procctl(pid, command, v); err != nil {
			return nil
		}
		return v
	}
	return kinfo.Controls{
		ASLR: ask(procASLRStatus), WXMap: ask(procWXMapStatus), NoNewPrivs: ask(procNoNewPrivsStatus), Trace: ask(procTraceStatus),
	}
}
