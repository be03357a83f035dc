package audit

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"skep/internal/jailparam"
	"skep/internal/kinfo"
	"skep/internal/plan"
)

// handKind is a kind of descriptor, the most that one may be good for, and what it is there for.
type handKind struct{ kind, rights, why string }

// workerKinds are the descriptors that a worker has, and the most that each may be good for: what its keeper hands
// it (internal/provision, worker_freebsd.go).
var workerKinds = []handKind{
	{"said", "write fstat", "its own standard output and error"},
	{"connection", "read write event fcntl", "the keeper, viewers, who has joined the console"},
	{"hypervisor's log", "read seek seek_tell fstat", "the last words"},
	{"console", "read write event fcntl", "the far end of the null modem"},
	{"console's log", "read write seek seek_tell fstat ftruncate", "which it writes and cuts"},
	{"picture", "write seek seek_tell fstat", "while a screenshot is drawn"},
	{"pipe", "read write event fcntl fstat", "where a guest's memory goes, what a viewer's hands are to do"},
	{"guest's memory", "read seek seek_tell fstat", "while it is dumped"},
	{"cut", "read write seek seek_tell fstat ftruncate", "the hypervisor's log, while it is cut"},
}

// worker: who reads what bhyve and its guest say has no rights.
func (a *bsdAudit) worker() {
	if a.want == nil {
		return
	}
	var spec *plan.Worker
	for _, w := range plan.Specs[*plan.Worker](a.want.plan) {
		spec = w
	}
	if spec == nil {
		return // an older skep's
	}
	if a.Worker == nil {
		a.add(GroupWorker, "worker-uid", Missing, "a live worker", "there is none")
		return
	}
	b := &bsdBeside{bsdAudit: a, w: a.Worker, spec: spec, group: GroupWorker, prefix: "worker"}
	b.judged(workerKinds, func(f kinfo.File) string { return a.workerKind(a.Worker, f) })
}

// bsdBeside is a process beside the hypervisor, in a jail of its own: a worker, or what serves a card.
type bsdBeside struct {
	*bsdAudit
	w             *bsdSeen
	spec          *plan.Worker
	group, prefix string
}

// judged are all rows of it. kinds are the descriptors that it may have, by what kindOf says of one.
func (a *bsdBeside) judged(kinds []handKind, kindOf func(kinfo.File) string) {
	w, spec, p := a.w, a.spec, a.w.Proc
	three := func(n int) string { return fmt.Sprintf("%d %d %d", n, n, n) }
	gids := "cannot be read"
	if len(p.Groups) > 0 {
		gids = fmt.Sprintf("%d %d %d", p.Groups[0], p.RGID, p.SVGID)
	}
	a.equal(a.group, a.prefix+"-uid", three(spec.UID), fmt.Sprintf("%d %d %d", p.UID, p.RUID, p.SVUID))
	a.equal(a.group, a.prefix+"-gid", three(spec.GID), gids)
	var others []string
	for _, c := range append(slices.Clone(w.Others), w.Inside...) {
		if name := who(c); !slices.Contains(others, name) {
			others = append(others, name)
		}
	}
	a.none(a.group, a.prefix+"-company", "no other process has its uid, or is in its jail", others)
	a.yes(a.group, a.prefix+"-capsicum", "in capability mode", p.Capability, true, orNot(p.Capability, "not in capability mode"))
	a.rights()
	a.jail()
	a.rootfs()
	a.handles(kinds, kindOf)
	a.limits()
}

// rights: nothing to gain, nobody who traces it.
func (a *bsdBeside) rights() {
	w := a.w
	var odd []string
	for _, row := range []struct {
		so  bool
		not string
	}{
		{w.Controls.PrivsFixed(), "new privileges can be had"},
		{w.Controls.Untraceable(), "it can be traced"},
		{w.Controls.WXEnforced(), "memory may be writable and executable"},
		{w.Controls.ASLRForced(), "its addresses are not drawn by lot"},
		{!w.Proc.Traced, "a debugger has it"},
	} {
		if !row.so {
			odd = append(odd, row.not)
		}
	}
	for _, g := range w.Proc.Groups {
		if g != w.Proc.Groups[0] {
			odd = append(odd, fmt.Sprintf("group %d", g))
		}
	}
	for number, what := range map[int]string{ktraceFile: "ktrace(1) writes of it", terminalFile: "it has a terminal"} {
		if _, ok := w.special(number); ok {
			odd = append(odd, what)
		}
	}
	sort.Strings(odd)
	a.none(a.group, a.prefix+"-rights", "no new privileges, no groups, no tracer, no terminal, W^X and ASLR", odd)
}

// jail: a jail of its own, with every parameter as planned and no permission.
func (a *bsdBeside) jail() {
	w, spec := a.w, a.spec
	const want = "a jail of its own, as planned, with no permission"
	switch {
	case w.Proc.JID == 0:
		a.add(a.group, a.prefix+"-jail", Missing, want, "it is in no jail")
		return
	case w.Proc.JID == a.Proc.JID:
		a.add(a.group, a.prefix+"-jail", Missing, want, "it is in the hypervisor's")
		return
	case w.Params == nil:
		a.add(a.group, a.prefix+"-jail", Unknown, want, "cannot be read")
		return
	}
	var odd []string
	planned := map[string]bool{}
	for _, p := range spec.Params() {
		planned[p.Name] = true
		seen := w.Params[p.Name]
		if wanted := p.Value(); seen != wanted && (p.Name != "path" || a.want.resolve(seen) != a.want.resolve(wanted)) {
			odd = append(odd, p.Name+" = "+orWords(seen, "not told"))
		}
	}
	for name, v := range w.Params {
		if strings.HasPrefix(name, "allow.") && v == "true" && !planned[name] {
			odd = append(odd, name)
		}
	}
	for name, wanted := range map[string]string{"children.cur": "0", "dying": "false", "vnet": jailparam.Inherit.String(),
		"sysvmsg": jailparam.Disable.String(), "sysvsem": jailparam.Disable.String(), "sysvshm": jailparam.Disable.String()} {
		if seen := w.Params[name]; seen != "" && seen != wanted {
			odd = append(odd, name+" = "+seen)
		}
	}
	sort.Strings(odd)
	a.none(a.group, a.prefix+"-jail", want, odd)
	a.info(a.group, a.prefix+"-jid", fmt.Sprintf("jid %d, %s", w.Proc.JID, w.Params["name"]))
}

// rootfs: one empty file system that nobody can write to, and it stands in that.
func (a *bsdBeside) rootfs() {
	w, spec := a.w, a.spec
	const want = "no file, no device node, one read-only mount"
	r := w.Rootfs
	if !r.MountRead || !r.FilesRead || !w.FilesRead {
		a.add(a.group, a.prefix+"-rootfs", Unknown, want, "cannot be read")
		return
	}
	root := a.want.resolve(spec.Root)
	there := slices.Clone(r.Files)
	if r.Dev {
		there = append(there, "a devfs")
	}
	const flags = mntReadOnly | mntNoSUID | mntNoExec
	if len(r.Mounts) != 1 || r.Mounts[0].On != root || r.Mounts[0].Kind != "tmpfs" || r.Mounts[0].Flags&flags != flags {
		for _, m := range r.Mounts {
			there = append(there, fmt.Sprintf("%s on %s, flags %#x", m.Kind, m.On, m.Flags))
		}
		if len(r.Mounts) == 0 {
			there = append(there, "nothing is mounted there")
		}
	}
	for number, name := range map[int]string{kinfo.CWD: "it stands in", kinfo.Root: "its root is", kinfo.Jail: "its jail's root is"} {
		if f, ok := w.special(number); !ok || f.Path != root {
			there = append(there, name+" "+orWords(f.Path, "elsewhere"))
		}
	}
	sort.Strings(there)
	a.none(a.group, a.prefix+"-rootfs", want, there)
}

// handles: only what it was handed, good for what it needs.
func (a *bsdBeside) handles(kinds []handKind, kindOf func(kinfo.File) string) {
	w := a.w
	all := w.descriptors()
	if !w.FilesRead || len(all) == 0 {
		a.add(a.group, a.prefix+"-descriptors", Unknown, "only what it was handed", "cannot be read")
		return
	}
	var extra, wide []string
	for _, f := range all {
		kind := kindOf(f)
		if kind == "" {
			extra = append(extra, fmt.Sprintf("%d -> %s", f.FD, w.target(f)))
		}
		for _, k := range kinds {
			most, err := kinfo.NamedRights(k.rights)
			if k.kind != kind || err != nil {
				continue
			}
			if more := f.Rights.Without(most); !more.None() {
				wide = append(wide, fmt.Sprintf("%d -> %s: %s", f.FD, w.target(f), more))
			}
		}
	}
	a.none(a.group, a.prefix+"-descriptors", "only what it was handed", extra)
	a.none(a.group, a.prefix+"-descriptor-rights", "no right that it does not need", wide)
}

// workerKind says what a worker's descriptor is, "" for one that is on no list. What Go's runtime makes is "own".
func (a *bsdAudit) workerKind(w *bsdSeen, f kinfo.File) string {
	const own = "own"
	writes := f.Flags&kinfo.FlagWrite != 0
	logs := map[string]string{}
	for _, l := range plan.Specs[*plan.Log](a.want.plan) {
		logs[a.want.resolve(l.Path)] = l.Name
	}
	switch f.Type {
	case kinfo.TypeKqueue, kinfo.TypeEventfd:
		return own
	case kinfo.TypeSocket:
		return "connection"
	case kinfo.TypePipe:
		return "pipe"
	case kinfo.TypeShm:
		return "picture"
	case kinfo.TypeVnode:
	default:
		return ""
	}
	device := w.Devices[f.FD]
	switch {
	case f.Vnode == kinfo.Character && device == "null":
		return own
	case f.Vnode == kinfo.Character && "/dev/"+device == a.want.modem.Outside:
		return "console"
	case f.Vnode == kinfo.Character && device == "vmm/"+a.want.bhyve.VM:
		return "guest's memory"
	case f.Vnode != kinfo.Regular:
		return ""
	case logs[f.Path] == "console-log":
		return "console's log"
	case logs[f.Path] == "hypervisor-log" && f.FD <= 2:
		return "said"
	case logs[f.Path] == "hypervisor-log" && writes:
		return "cut"
	case logs[f.Path] == "hypervisor-log":
		return "hypervisor's log"
	}
	return ""
}

// limits: what it may take from the host.
func (a *bsdBeside) limits() {
	w, spec := a.w, a.spec
	var odd []string
	for _, l := range spec.Rlimits {
		if got, ok := w.Limits[l.Name]; !ok || got[0] != l.Value || got[1] != l.Value {
			odd = append(odd, l.Name+" = "+orNot(!ok, limitsText(got)))
		}
	}
	a.none(a.group, a.prefix+"-rlimits", "as planned", odd)
	switch {
	case !w.RulesRead:
		a.add(a.group, a.prefix+"-rctl", Unknown, "as planned", "cannot be read")
	case len(spec.Rules) == 0 && !w.Counted:
		a.info(a.group, a.prefix+"-rctl", "none: kern.racct.enable is 0, so this kernel counts nothing")
	default:
		want, seen := slices.Sorted(slices.Values(spec.Rules)), slices.Sorted(slices.Values(w.Rules))
		a.equal(a.group, a.prefix+"-rctl", strings.Join(want, ", "), orWords(strings.Join(seen, ", "), "no rule"))
	}
}
