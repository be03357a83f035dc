package audit

import (
	"fmt"
	"strconv"

	"skep/internal/kinfo"
)

// Numbers of what a process holds without a descriptor.
const (
	ktraceFile   = kinfo.Trace
	terminalFile = kinfo.CTTY
)

// eight are the article's conclusion, in its order and words.
func (a *bsdAudit) eight() {
	a.aslr()
	a.strictWX()
	var exe *Program
	if a.Exe != nil {
		exe = &a.Exe.Program
	}
	a.built(exe, a.relro)
	a.jailed()
	a.guarded()
	a.capsicum()
}

// aslr: a cell's is forced, so that neither a setting of the host's nor a mark
// in the program turns it off at the next start; of others it is enough that
// the address space they have is a random one.
func (a *bsdAudit) aslr() {
	want, so := "a PIE at random addresses, forced", a.Controls.ASLRActive() && a.Controls.ASLRForced()
	if a.want == nil {
		want, so = "a PIE at random addresses", a.Controls.ASLRActive()
	}
	pie := Undetermined
	if a.Exe != nil {
		pie = a.Exe.PIE
	}
	seen := "ASLR " + orWords(a.Controls.ASLRText(), "cannot be read") + "; position-independent executable: " + pie.String()
	if base, ok := a.base(); ok {
		seen += fmt.Sprintf("; it lies at %#x", base)
	}
	a.yes(GroupEight, "aslr", want, so && pie == Yes, a.Controls.ASLR != nil && pie != Undetermined, seen)
}

// base is where the program lies: the lowest mapping of its file.
func (a *bsdAudit) base() (uint64, bool) {
	text, ok := a.special(kinfo.Text)
	if !ok {
		return 0, false
	}
	for _, m := range a.Areas {
		if m.Type == kinfo.AreaFile && m.ID == text.ID && m.Fsid == text.Fsid {
			return m.From, true
		}
	}
	return 0, false
}

func (a *bsdAudit) strictWX() {
	const want = "no memory writable and executable, now or later"
	exec, both := 0, 0
	for _, m := range a.Areas {
		if m.Executable() {
			exec++
			if m.Writable() {
				both++
			}
		}
	}
	now := "none of " + strconv.Itoa(exec) + " executable mappings is writable"
	switch {
	case len(a.Areas) == 0:
		a.add(GroupEight, "strict-wx", Unknown, want, "the mappings cannot be read")
	case both > 0:
		a.add(GroupEight, "strict-wx", Missing, want, fmt.Sprintf("%d of %d executable mappings are writable", both, exec))
	case a.Controls.WXMap == nil:
		a.add(GroupEight, "strict-wx", Unknown, want, now+"; whether the kernel refuses any cannot be read")
	case !a.Controls.WXEnforced():
		a.add(GroupEight, "strict-wx", Missing, want, now+", and the kernel refuses none")
	default:
		a.add(GroupEight, "strict-wx", Seen, want, now+", and the kernel refuses any (wxorx enforced)")
	}
}

// relro: the tables of the dynamic linker are read-only in the live process.
// Whether that is all of them (BIND_NOW) is as the host's program was built: a
// stock FreeBSD binds late.
func (a *bsdAudit) relro() {
	const want = "the dynamic linker's tables are read-only"
	p := a.Exe
	seen := fmt.Sprintf("RELRO %s, BIND_NOW %s", p.RELRO, p.BindNow)
	if p.RELRO != Yes {
		a.add(GroupEight, "full-relro", Missing, want, seen)
		return
	}
	if p.BindNow != Yes {
		seen += " (partial, as this host's program is built)"
	}
	base, ok := a.base()
	if !ok || !p.Same {
		a.add(GroupEight, "full-relro", Unknown, want, seen+"; where they lie cannot be determined")
		return
	}
	from, to := base+p.RelroFrom, base+p.RelroTo
	found := false
	for _, m := range a.Areas {
		if m.To <= from || m.From >= to {
			continue
		}
		found = true
		if m.Writable() {
			a.add(GroupEight, "full-relro", Missing, want, fmt.Sprintf("%s; %#x is writable", seen, max(m.From, from)))
			return
		}
	}
	a.yes(GroupEight, "full-relro", want, true, found, fmt.Sprintf("%s; read-only from %#x to %#x", seen, from, to))
}

func (a *bsdAudit) jailed() {
	const want = "a jail of its own"
	jid, name := a.Proc.JID, a.Params["name"]
	switch {
	case jid == 0:
		a.add(GroupEight, "jailed", Missing, want, "it is in no jail")
	case a.Params == nil:
		a.add(GroupEight, "jailed", Unknown, want, fmt.Sprintf("jid %d; its parameters cannot be read", jid))
	case a.want != nil && name != a.want.prison.Name:
		a.add(GroupEight, "jailed", Missing, "the jail "+a.want.prison.Name, fmt.Sprintf("jid %d, %s", jid, name))
	default:
		a.add(GroupEight, "jailed", Seen, want, fmt.Sprintf("jid %d, %s; %d files, %d device nodes accessible by name", jid, name, len(a.Rootfs.Files), len(devices(a.Rootfs.Nodes))))
	}
}

// capsicum: capability mode, and what each descriptor is still good for.
func (a *bsdAudit) capsicum() {
	const want = "capability mode: no name of any name space can be opened"
	limited, all := 0, a.descriptors()
	for _, f := range all {
		if !f.Rights.All() {
			limited++
		}
	}
	seen := "not in capability mode"
	if a.Proc.Capability {
		seen = fmt.Sprintf("in capability mode; the rights of %d of %d descriptors are limited", limited, len(all))
	}
	a.yes(GroupEight, "capsicum", want, a.Proc.Capability, true, seen)
}
