package audit

import (
	"fmt"
	"strings"

	"skep/internal/plan"
	"skep/internal/store"
)

// bsdAudit compares one observation with what is promised. Without a plan the
// promises are those that every cell makes.
type bsdAudit struct {
	judge
	*bsdSeen
	want *bsdWant
}

// judgeFreeBSD judges what was seen of a cell's process.
func judgeFreeBSD(seen *bsdSeen, st store.State, resolve func(string) string) (Report, error) {
	w, err := wantOf(st, resolve)
	if err != nil {
		return Report{}, err
	}
	a := &bsdAudit{bsdSeen: seen, want: w}
	return a.rows().report(st.Name, seen.Proc.PID).relaxed(st.Relaxations), nil
}

// judgeAnyFreeBSD judges a process that nobody planned.
func judgeAnyFreeBSD(seen *bsdSeen) Report {
	a := &bsdAudit{bsdSeen: seen}
	return a.rows().report("", seen.Proc.PID)
}

func (a *bsdAudit) rows() *judge {
	a.eight()
	a.identity()
	a.rights()
	a.params()
	a.rootfs()
	a.devices()
	a.handles()
	if a.want != nil {
		var taps []*plan.Tap
		for _, t := range plan.Specs[*plan.Tap](a.want.plan) {
			if t.Stack == "" {
				taps = append(taps, t)
			}
		}
		a.nics(taps, a.want.links, a.link)
		a.stack()
	}
	a.limit()
	a.memory()
	a.worker()
	a.services()
	if a.Exe == nil {
		a.ofProgram(nil)
		return &a.judge
	}
	a.ofProgram(&a.Exe.Program)
	a.info(GroupProgram, "feature-control", a.Exe.optOuts())
	if !a.Exe.Same {
		a.add(GroupProgram, "program", Unknown, "the file that the process was started from", a.Exe.Path+" is another file by now")
	}
	return &a.judge
}

// identity: who the hypervisor is, and that nobody else is.
func (a *bsdAudit) identity() {
	p := a.Proc
	three := func(n int) string { return fmt.Sprintf("%d %d %d", n, n, n) }
	uids, gids := fmt.Sprintf("%d %d %d", p.UID, p.RUID, p.SVUID), "cannot be read"
	if len(p.Groups) > 0 {
		gids = fmt.Sprintf("%d %d %d", p.Groups[0], p.RGID, p.SVGID)
	}
	switch {
	case a.want != nil:
		a.equal(GroupIdentity, "uid", three(a.want.bhyve.UID), uids)
		a.equal(GroupIdentity, "gid", three(a.want.bhyve.GID), gids)
	case p.UID == 0 && a.VmmCtl:
		a.add(GroupIdentity, "uid", Missing, "not root", uids)
	case p.UID == 0:
		a.info(GroupIdentity, "uid", uids+": vmm(4) lets nobody but root make a VM here")
	default:
		a.add(GroupIdentity, "uid", Seen, "not root", uids)
	}
	var others []string
	for _, c := range a.Others {
		others = append(others, who(c))
	}
	if p.UID != 0 {
		a.alone(others)
	}
	var groups []string
	for i, g := range p.Groups {
		if i > 0 && g != p.Groups[0] {
			groups = append(groups, fmt.Sprint(g))
		}
	}
	a.ungrouped(groups)
	a.othersInJail()
}

// maxHelpers is system.pwd and system.grp of casper(3): lib9p asks them for the
// names of users and groups.
const maxHelpers = 2

// othersInJail: nobody else is in the jail. The keeper enters it for a moment to
// make a socket there or to end a VM, as a child of its own. Where bhyve serves
// a directory it has helpers, which are outside capability mode: forks of it,
// that init inherits.
func (a *bsdAudit) othersInJail() {
	var extra, known []string
	helpers := 0
	for _, c := range a.Inside {
		switch {
		case a.want != nil && a.want.keeper != 0 && c.Parent == a.want.keeper:
			known = append(known, who(c)+", the keeper's")
		case a.want != nil && a.want.shares > 0 && helpers < maxHelpers && c.Comm == a.Proc.Comm && (c.Parent == 1 || a.descends(c.PID)):
			helpers++
			known = append(known, who(c)+", bhyve's helper for a share, outside capability mode")
		default:
			extra = append(extra, who(c))
		}
	}
	const want = "no other process in its jail"
	switch {
	case a.Proc.JID == 0:
		a.add(GroupIdentity, "company", Missing, want, "it is in no jail: every process of the host")
	case len(extra) > 0:
		a.add(GroupIdentity, "company", Extra, want, summary(extra))
	case len(known) > 0:
		a.add(GroupIdentity, "company", Seen, want, "only "+summary(known))
	default:
		a.add(GroupIdentity, "company", Seen, want, want)
	}
}

// descends says whether a process of the jail comes from the hypervisor.
func (a *bsdAudit) descends(pid int) bool {
	parents := map[int]int{}
	for _, c := range a.Inside {
		parents[c.PID] = c.Parent
	}
	for range len(parents) + 1 {
		parent, ok := parents[pid]
		if !ok {
			return false
		}
		if parent == a.Proc.PID {
			return true
		}
		pid = parent
	}
	return false
}

// rights: what the kernel would let it do.
func (a *bsdAudit) rights() {
	c := a.Controls
	a.yes(GroupRights, "no-new-privs", "no new privileges by set-user-ID programs", c.PrivsFixed(), c.NoNewPrivs != nil, orNot(c.PrivsFixed(), "new privileges can be had"))
	a.yes(GroupRights, "no-trace", "cannot be traced", c.Untraceable(), c.Trace != nil, orNot(c.Untraceable(), "can be traced"))
	tracer := ""
	if a.Proc.Traced {
		tracer = "a debugger"
	}
	ktrace := ""
	if f, ok := a.special(ktraceFile); ok {
		ktrace = "ktrace(1), to " + orWords(f.Path, "a file without a name")
	}
	a.untraced(nonEmpty(tracer, ktrace))
	if f, ok := a.special(terminalFile); ok {
		a.add(GroupRights, "terminal", Extra, "no controlling terminal", orWords(f.Path, "a terminal"))
	} else {
		a.yes(GroupRights, "terminal", "no controlling terminal", true, a.FilesRead, "")
	}
}

func nonEmpty(all ...string) []string {
	var kept []string
	for _, s := range all {
		if strings.TrimSpace(s) != "" {
			kept = append(kept, s)
		}
	}
	return kept
}
