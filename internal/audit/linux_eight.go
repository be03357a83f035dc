package audit

import (
	"fmt"
	"strconv"
	"strings"

	"skep/internal/layer"
)

// eight are the article's conclusion, in its order and words, with what stands
// for each on Linux.
func (a *linuxAudit) eight() {
	a.aslr()
	a.strictWX()
	a.built(a.Exe, func() {
		a.yes(GroupEight, "full-relro", "RELRO and BIND_NOW", a.Exe.RELRO == Yes && a.Exe.BindNow == Yes, true,
			fmt.Sprintf("RELRO %s, BIND_NOW %s", a.Exe.RELRO, a.Exe.BindNow))
	})
	a.jailed()
	a.guarded()
	a.confined()
}

// aslr: the program is made for it, the host does it, and nobody has it off for this process.
func (a *linuxAudit) aslr() {
	const noRandomize = 0x0040000 // ADDR_NO_RANDOMIZE, personality(2)
	persona, err := strconv.ParseUint(a.Persona, 16, 64)
	pie := a.Exe != nil && a.Exe.PIE == Yes
	seen := fmt.Sprintf("position-independent executable: %s; kernel.randomize_va_space = %s; personality %s", yesNo(pie), a.Randomize, a.Persona)
	switch {
	case err != nil || a.Exe == nil:
		a.add(GroupEight, "aslr", Unknown, "a PIE at random addresses", seen)
	case !pie || persona&noRandomize != 0 || a.Randomize != "2":
		a.add(GroupEight, "aslr", Missing, "a PIE at random addresses", seen)
	default:
		a.add(GroupEight, "aslr", Seen, "a PIE at random addresses", seen)
	}
}

// strictWX: no memory is writable and executable at once.
func (a *linuxAudit) strictWX() {
	exec, both := 0, 0
	for _, m := range a.Areas {
		if strings.Contains(m.Mode, "x") {
			exec++
			if strings.Contains(m.Mode, "w") {
				both++
			}
		}
	}
	switch {
	case exec == 0:
		a.add(GroupEight, "strict-wx", Unknown, "no memory writable and executable", "the mappings cannot be read")
	case both > 0:
		a.add(GroupEight, "strict-wx", Missing, "no memory writable and executable", counted(both, "mapping")+" writable and executable")
	default:
		how := "and nobody promises that it stays so"
		if d, ok := a.applied(layer.WXMDWE); ok && d.Verdict == layer.Applied {
			how = "and the kernel refuses any (MDWE, recorded)"
		} else if ok && d.Verdict == layer.Substituted {
			how = "and the filter refuses any (recorded)"
		}
		v := Seen
		if a.record == nil {
			v = Unknown
		}
		a.add(GroupEight, "strict-wx", v, "no memory writable and executable, now or later", "none of "+strconv.Itoa(exec)+" executable mappings is writable, "+how)
	}
}

// jailed: on Linux the jail is made of namespaces and a root of its own.
func (a *linuxAudit) jailed() {
	var shared []string
	for _, n := range namespaces {
		if a.NS[n] != "" && a.NS[n] == a.HostNS[n] && !(n == "time" && a.waived(layer.TimeNamespace)) {
			shared = append(shared, n)
		}
	}
	const want = "namespaces and a root of its own"
	switch {
	case len(a.NS) < 7:
		a.add(GroupEight, "jailed", Unknown, want, "its namespaces cannot be read")
	case len(shared) > 0:
		a.add(GroupEight, "jailed", Missing, want, "shares with the host: "+strings.Join(shared, ", "))
	default:
		a.add(GroupEight, "jailed", Seen, want, "no namespace of the host's; "+counted(len(a.Mounts), "mount")+", "+counted(len(a.Files), "file")+", "+counted(len(a.Nodes), "device node")+" accessible")
	}
}

// guarded: whoever runs over the end of the guest's memory runs into a wall.
func (a *linuxAudit) guarded() {
	const want = "an inaccessible page behind the guest's memory"
	size := uint64(0)
	if a.state != nil && a.state.Cell != nil {
		size = uint64(a.state.Cell.Memory)
	}
	guarded, found := a.guardedBehind(size)
	switch {
	case !found:
		a.add(GroupEight, "guard-pages", Unknown, want, "no mapping of the guest's size can be seen")
	case guarded:
		a.add(GroupEight, "guard-pages", Seen, want, want)
	default:
		a.add(GroupEight, "guard-pages", Missing, want, "something that can be touched is mapped there")
	}
}

// confined: what Capsicum is on FreeBSD, seccomp and Landlock are here.
func (a *linuxAudit) confined() {
	const want = "a list of system calls (Capsicum's place on Linux)"
	seen := "seccomp mode " + orWords(a.Status["Seccomp"], "?") + ", " + orWords(a.Status["Seccomp_filters"], "?") + " filters"
	if a.record != nil {
		seen += fmt.Sprintf("; %d calls, Landlock ABI %d (recorded)", a.record.RunCalls, a.record.LandlockABI)
	}
	switch a.Status["Seccomp"] {
	case "2":
		a.add(GroupEight, "capsicum", Seen, want, seen)
	case "":
		a.add(GroupEight, "capsicum", Unknown, want, "cannot be read")
	default:
		a.add(GroupEight, "capsicum", Missing, want, seen)
	}
}

// guarded says whether nothing can be touched right behind the guest's memory:
// QEMU keeps an inaccessible page there (util/mmap-alloc.c), where a run-away
// copy would arrive. size is the guest's memory in bytes; 0 takes the largest
// writable mapping for it. found is false where no mapping fits.
func (o *linuxSeen) guardedBehind(size uint64) (guarded, found bool) {
	at := -1
	for i, a := range o.Areas {
		if !strings.HasPrefix(a.Mode, "rw") {
			continue
		}
		if size > 0 && a.To-a.From == size {
			at = i
			break
		}
		if size == 0 && (at < 0 || a.To-a.From > o.Areas[at].To-o.Areas[at].From) {
			at = i
		}
	}
	if at < 0 {
		return false, false
	}
	if at == len(o.Areas)-1 || o.Areas[at+1].From != o.Areas[at].To {
		return true, true // a hole
	}
	return strings.HasPrefix(o.Areas[at+1].Mode, "---"), true
}
