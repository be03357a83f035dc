package jail

import (
	"fmt"

	"skep/internal/layer"
)

// Evidence is what the live process shows of each protection, asked of the
// kernel from outside, in the order of the conclusion of "Jailing the bhyve
// hypervisor". Nothing of it is remembered from the start. jid is the jail that
// the process should be in, program the file that it was started from.
func Evidence(pid, jid int, program HostPath) []layer.Decision {
	var all []layer.Decision
	add := func(id string, seen bool, detail string) {
		d := layer.Decision{ID: layer.ID(id), Verdict: layer.Applied, Detail: detail}
		if !seen {
			d.Verdict = layer.Missing
		}
		all = append(all, d)
	}
	info, err := Look(pid)
	if err != nil {
		add("process", false, err.Error())
		return all
	}
	ask := func(command int) int32 {
		v := int32(-1)
		if err := procctl(pid, command, &v); err != nil {
			return -1
		}
		return v
	}
	aslr := ask(procASLRStatus)
	add("aslr", aslr != -1 && uint32(aslr)&aslrActive != 0 && aslr&0x7fffffff == aslrForceEnable, aslrText(aslr))
	wx := ask(procWXMapStatus)
	add("wxorx", wx != -1 && uint32(wx)&wxEnforced != 0, yes(wx != -1 && uint32(wx)&wxEnforced != 0, "no mapping is writable and executable: enforced", "not enforced"))
	relro, detail := hardened(string(program))
	add("pie-relro", relro, detail)
	add("no-setuid", ask(procNoNewPrivsStatus) == noNewPrivsEnable, yes(ask(procNoNewPrivsStatus) == noNewPrivsEnable, "no new privileges", "new privileges can be had"))
	add("no-trace", ask(procTraceStatus) == -1, yes(ask(procTraceStatus) == -1, "cannot be traced, and dumps no core", "can be traced"))
	add("jail", info.JID == jid && jid != 0, fmt.Sprintf("jid %d", info.JID))
	add("devfs", true, "its own rule set; the room's /dev was compared with the plan")
	add("capsicum", info.Capability, yes(info.Capability, "in capability mode: no name of any name space can be opened", "not in capability mode"))
	return all
}

func yes(on bool, is, not string) string {
	if on {
		return is
	}
	return not
}

func aslrText(v int32) string {
	if v == -1 {
		return "unknown"
	}
	force := map[int32]string{1: "forced on", 2: "forced off", 3: "not forced"}[v&0x7fffffff]
	return force + ", " + yes(uint32(v)&aslrActive != 0, "active", "inactive")
}
