package audit

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"skep/internal/hypervisor"
	"skep/internal/jail"
	"skep/internal/layer"
	"skep/internal/network"
	"skep/internal/plan"
	"skep/internal/store"
)

// Cell audits the hypervisor of a running cell against the plan in its state.
func Cell(st store.State) (Report, error) {
	o, err := observe(st.PID)
	if err != nil {
		return Report{}, err
	}
	a := &linuxAudit{observed: o, state: &st, plan: st.Plan, record: st.Jail}
	return a.rows().report(st.Name, st.PID).relaxed(st.Relaxations), nil
}

// Process audits any process as if it were a cell's: a hypervisor that skep
// did not start is judged by the same table.
func Process(pid int) (Report, error) {
	o, err := observe(pid)
	if err != nil {
		return Report{}, err
	}
	a := &linuxAudit{observed: o}
	return a.rows().report("", pid), nil
}

// Jail is FreeBSD's.
func Jail(string) ([]Report, error) { return nil, errors.ErrUnsupported }

// linuxAudit compares one observation with what is promised. Without a plan
// the promises are those that every cell makes.
type linuxAudit struct {
	judge
	*observed
	state  *store.State
	plan   *plan.Plan
	record *jail.Record
}

func (a *linuxAudit) rows() *judge {
	a.eight()
	a.identity()
	a.rights()
	a.process()
	a.rootfs()
	a.handles()
	if a.plan != nil {
		a.nics(plan.Specs[*plan.Tap](a.plan), a.links(), network.LinkOf)
	}
	a.limit()
	a.memory()
	if a.exe != nil {
		a.exe.rows(&a.judge)
	} else {
		a.add(GroupProgram, "program", Unknown, "a readable ELF file", "cannot be read")
	}
	return &a.judge
}

// links are the host's ends of its cards as they were.
func (a *linuxAudit) links() map[string]network.Link {
	if a.record == nil {
		return nil
	}
	return a.record.Links
}

// applied says whether the launcher has applied a layer. Without a record
// nothing is known to be.
func (a *linuxAudit) applied(id layer.ID) (layer.Decision, bool) {
	if a.record == nil {
		return layer.Decision{}, false
	}
	for _, d := range a.record.Layers {
		if d.ID == id {
			return d, true
		}
	}
	return layer.Decision{}, false
}

// recorded is a row for what only the launcher could read.
func (a *linuxAudit) recorded(group string, id layer.ID, want string) {
	d, ok := a.applied(id)
	switch {
	case !ok:
		a.add(group, string(id), Unknown, want, "cannot be read from outside, and no launcher of ours recorded it")
	case d.Verdict == layer.Applied:
		a.add(group, string(id), Recorded, want, orWords(d.Detail, want))
	case d.Verdict == layer.Substituted:
		a.add(group, string(id), Recorded, want, "by "+string(d.By)+" in its place")
	case d.Verdict == layer.NothingToApply:
		a.add(group, string(id), Recorded, want, "nothing to apply: "+orWords(d.Detail, "not on this kernel"))
	default:
		a.add(group, string(id), Recorded, want, string(d.Verdict)+": "+d.Detail)
	}
}

// waived says whether the host or the cell file let a layer be absent.
func (a *linuxAudit) waived(id layer.ID) bool {
	d, ok := a.applied(id)
	return ok && (d.Verdict == layer.Missing || d.Verdict == layer.NotPrivileged || d.Verdict == layer.NothingToApply)
}

// eight are the article's conclusion, in its order and words, with what stands
// for each on Linux.
func (a *linuxAudit) eight() {
	const noRandomize = 0x0040000 // ADDR_NO_RANDOMIZE, personality(2)
	persona, err := strconv.ParseUint(a.persona, 16, 64)
	kernel := readLine("/proc/sys/kernel/randomize_va_space")
	pie := a.exe != nil && a.exe.PIE == Yes
	seen := fmt.Sprintf("position-independent executable: %s; kernel.randomize_va_space = %s; personality %s", yesNo(pie), kernel, a.persona)
	switch {
	case err != nil || a.exe == nil:
		a.add(GroupEight, "aslr", Unknown, "a PIE at random addresses", seen)
	case !pie || persona&noRandomize != 0 || kernel != "2":
		a.add(GroupEight, "aslr", Missing, "a PIE at random addresses", seen)
	default:
		a.add(GroupEight, "aslr", Seen, "a PIE at random addresses", seen)
	}

	switch {
	case a.exec == 0:
		a.add(GroupEight, "strict-wx", Unknown, "no memory writable and executable", "the mappings cannot be read")
	case len(a.wx) > 0:
		a.add(GroupEight, "strict-wx", Missing, "no memory writable and executable", counted(len(a.wx), "mapping")+" writable and executable")
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
		a.add(GroupEight, "strict-wx", v, "no memory writable and executable, now or later", "none of "+strconv.Itoa(a.exec)+" executable mappings is writable, "+how)
	}
	if a.exe != nil {
		a.info(GroupEight, "cfi", "control-flow integrity: "+a.exe.CFI.String()+fmt.Sprintf("; CET marks: IBT %s, SHSTK %s", a.exe.IBT, a.exe.SHSTK))
		v := Seen
		if a.exe.RELRO != Yes || a.exe.BindNow != Yes {
			v = Missing
		}
		a.add(GroupEight, "full-relro", v, "RELRO and BIND_NOW", fmt.Sprintf("RELRO %s, BIND_NOW %s", a.exe.RELRO, a.exe.BindNow))
		a.info(GroupEight, "safestack", "SafeStack: "+a.exe.SafeStack.String()+"; stack protector: "+a.exe.Protector.String())
	} else {
		for _, id := range []string{"cfi", "full-relro", "safestack"} {
			a.add(GroupEight, id, Unknown, "a readable program", "cannot be read")
		}
	}
	a.jailed()
	a.guarded()
	a.confined()
}

// jailed: on Linux the jail is made of namespaces and a root of its own.
func (a *linuxAudit) jailed() {
	var shared []string
	for _, n := range namespaces {
		if a.ns[n] != "" && a.ns[n] == a.hostNS[n] && !(n == "time" && a.waived(layer.TimeNamespace)) {
			shared = append(shared, n)
		}
	}
	const want = "namespaces and a root of its own"
	switch {
	case len(a.ns) < 7:
		a.add(GroupEight, "jailed", Unknown, want, "its namespaces cannot be read")
	case len(shared) > 0:
		a.add(GroupEight, "jailed", Missing, want, "shares with the host: "+strings.Join(shared, ", "))
	default:
		a.add(GroupEight, "jailed", Seen, want, "no namespace of the host's; "+counted(len(a.mounts), "mount")+", "+counted(len(a.files), "file")+", "+counted(len(a.nodes), "device node")+" accessible")
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
	seen := "seccomp mode " + orWords(a.status["Seccomp"], "?") + ", " + orWords(a.status["Seccomp_filters"], "?") + " filters"
	if a.record != nil {
		seen += fmt.Sprintf("; %d calls, Landlock ABI %d (recorded)", a.record.RunCalls, a.record.LandlockABI)
	}
	switch a.status["Seccomp"] {
	case "2":
		a.add(GroupEight, "capsicum", Seen, want, seen)
	case "":
		a.add(GroupEight, "capsicum", Unknown, want, "cannot be read")
	default:
		a.add(GroupEight, "capsicum", Missing, want, seen)
	}
}

// identity: who the hypervisor is, and that nobody else is.
func (a *linuxAudit) identity() {
	four := func(n int) string { s := strconv.Itoa(n); return s + " " + s + " " + s + " " + s }
	own := !a.waived(layer.OwnUID)
	if j := a.jailSpec(); j != nil {
		a.equal(GroupIdentity, "uid", four(j.UID), a.status["Uid"])
		a.equal(GroupIdentity, "gid", four(j.GID), a.status["Gid"])
		one := fmt.Sprintf("%d %d 1", j.UID, j.UID)
		a.equal(GroupIdentity, "uid-map", one, a.uidMap)
		a.equal(GroupIdentity, "gid-map", fmt.Sprintf("%d %d 1", j.GID, j.GID), a.gidMap)
	} else {
		v := Seen
		if strings.HasPrefix(a.status["Uid"], "0 ") || a.status["Uid"] == "" {
			v = Missing
		}
		a.add(GroupIdentity, "uid", v, "not root", orWords(a.status["Uid"], "cannot be read"))
	}
	if own {
		a.none(GroupIdentity, "uid-company", "no other process has its uid", a.sameUID)
		a.none(GroupIdentity, "gid-company", "no other process has its gid", a.sameGID)
	} else {
		a.info(GroupIdentity, "uid-company", "the caller's own uid, without root")
	}
	if a.waived(layer.NoGroups) {
		a.info(GroupIdentity, "groups", orWords(a.status["Groups"], "none")+" (cannot be dropped without root)")
	} else if _, read := a.status["Groups"]; !read {
		a.add(GroupIdentity, "groups", Unknown, "no supplementary groups", "cannot be read")
	} else {
		a.none(GroupIdentity, "groups", "no supplementary groups", strings.Fields(a.status["Groups"]))
	}
}

func (a *linuxAudit) jailSpec() *plan.Jail {
	if a.plan == nil {
		return nil
	}
	for _, j := range plan.Specs[*plan.Jail](a.plan) {
		return j
	}
	return nil
}

// rights: what the kernel would let it do.
func (a *linuxAudit) rights() {
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		a.equal(GroupRights, strings.ToLower(set[:3])+"-"+strings.ToLower(set[3:]), "0000000000000000", a.status[set])
	}
	a.equal(GroupRights, "no-new-privs", "1", a.status["NoNewPrivs"])
	a.equal(GroupRights, "seccomp", "2", a.status["Seccomp"])
	if a.record != nil {
		a.equal(GroupRights, "seccomp-filters", strconv.Itoa(len(a.record.Filters)+a.record.Inherited), a.status["Seccomp_filters"])
		var ids []string
		for _, f := range a.record.Filters {
			ids = append(ids, fmt.Sprintf("%s %.12s… (%d instructions)", f.Name, f.SHA256, f.Instructions))
		}
		a.add(GroupRights, "filter-identity", Recorded, "the filters that the plan's table compiles to", strings.Join(ids, ", "))
		sealed := Recorded
		if !a.record.Sealed && !a.waived(layer.TwoPhases) {
			sealed = Missing
		}
		a.add(GroupRights, "two-phases", sealed, "the start is over: no call but the policy's", fmt.Sprintf("%d calls for the guest's life, sealed: %s", a.record.RunCalls, yesNo(a.record.Sealed)))
	}
	a.refused()
	var odd []string
	var traced []string
	for i, t := range a.threads {
		who := "thread " + orWords(t.status["Pid"], strconv.Itoa(i))
		for _, f := range []string{"Seccomp", "NoNewPrivs", "CapEff", "CapPrm", "Uid", "Gid"} {
			if t.status[f] != a.status[f] && len(t.status) > 0 {
				odd = append(odd, who+" ("+f+")")
			}
		}
		for n, ns := range t.ns {
			if ns != a.ns[n] {
				odd = append(odd, who+" (another "+n+" namespace)")
			}
		}
		for tree, path := range t.cgroups {
			if path != a.cgroups[tree] {
				odd = append(odd, who+" (another control group: "+tree+")")
			}
		}
		if by := t.status["TracerPid"]; by != "" && by != "0" {
			traced = append(traced, who+" by process "+by)
		}
	}
	slices.Sort(odd)
	a.none(GroupRights, "threads", "every thread has the same rights, in the same place", odd)
	if len(a.threads) == 0 {
		a.add(GroupRights, "tracers", Unknown, "nobody traces it", "cannot be read")
	} else {
		a.none(GroupRights, "tracers", "nobody traces it", traced)
	}
	a.recorded(GroupRights, layer.Landlock, "files, devices, TCP, signals and abstract sockets refused once more")
	a.recorded(GroupRights, layer.OneExec, "no exec after the hypervisor's own")
	a.recorded(GroupRights, layer.Keyring, "a session keyring of its own")
}

// refused says which calls it asked for and did not get. That it did not is as planned; that it asked is
// for a person to look at, unless any hypervisor does.
func (a *linuxAudit) refused() {
	if a.state == nil || a.state.Refused == nil {
		return
	}
	if usual := jail.Names(a.state.Refused.Expected); len(usual) > 0 {
		a.add(GroupRights, "expected-refusals", Recorded, "calls that a hypervisor asks for and does without", strings.Join(usual, ", "))
	}
	seen := jail.Names(a.state.Refused.Unexpected())
	if why := a.state.Refused.Uncounted; why != "" {
		seen = append(seen, why)
	}
	if len(seen) > 0 {
		a.add(GroupRights, "refused-calls", Recorded, "no call that the policy lacks", strings.Join(seen, ", "))
	}
}

// rootfs: what it can reach.
func (a *linuxAudit) rootfs() {
	for _, n := range namespaces {
		id := "ns-" + n
		switch {
		case a.ns[n] == "":
			if n != "time" {
				a.add(GroupPlace, id, Unknown, "its own", "cannot be read")
			}
		case a.ns[n] == a.hostNS[n]:
			if n == "time" && a.waived(layer.TimeNamespace) {
				a.info(GroupPlace, id, "the host's")
				continue
			}
			a.add(GroupPlace, id, Missing, "its own", "the host's, "+a.ns[n])
		case len(a.inNamespace[n]) > 0:
			a.add(GroupPlace, id, Extra, "no other process in it", summary(a.inNamespace[n]))
		default:
			a.add(GroupPlace, id, Seen, "its own, and no other process in it", a.ns[n])
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
	}{{"files", files, a.files}, {"nodes", nodes, a.nodes}} {
		// Too many are too many, whatever could not be read.
		if len(a.unread) > 0 && len(r.got) <= r.want {
			a.add(GroupPlace, r.id, Unknown, strconv.Itoa(r.want), "cannot be read: "+summary(a.unread))
		} else {
			a.count(r.id, r.want, r.got)
		}
	}
	points := make([]string, len(a.mounts))
	var loose []string
	for i, m := range a.mounts {
		points[i] = m.point + " (" + m.kind + ")"
		opts := "," + m.options + ","
		for _, o := range []string{"ro", "nosuid", "nodev", "noexec"} {
			if !strings.Contains(opts, ","+o+",") && !(o == "noexec" && files > 0) && !(o == "nodev" && nodes > 0) {
				loose = append(loose, m.point+" is not "+o)
			}
		}
	}
	if len(a.mounts) == 0 {
		a.add(GroupPlace, "mounts", Unknown, strconv.Itoa(mounts), "cannot be read")
		a.add(GroupPlace, "mount-flags", Unknown, "read-only, nosuid, nodev, noexec", "cannot be read")
	} else {
		a.count("mounts", mounts, points)
		a.none(GroupPlace, "mount-flags", "read-only, nosuid, nodev, noexec", loose)
	}
	var devices []string
	for _, d := range a.devices {
		if d != "lo" {
			devices = append(devices, d)
		}
	}
	if a.devices == nil {
		a.add(GroupPlace, "network-devices", Unknown, "no network device but lo", "cannot be read")
	} else {
		a.none(GroupPlace, "network-devices", "no network device but lo", devices)
	}
	if !a.addrs {
		a.add(GroupPlace, "network-addresses", Unknown, "no network address", "cannot be read")
	} else {
		a.none(GroupPlace, "network-addresses", "no network address", a.address)
	}
	switch {
	case a.environ < 0:
		a.add(GroupPlace, "environ", Unknown, "empty", "cannot be read")
	case a.environ > 0:
		a.add(GroupPlace, "environ", Extra, "empty", fmt.Sprintf("%d bytes", a.environ))
	default:
		a.add(GroupPlace, "environ", Seen, "empty", "empty")
	}
}

// handles: every descriptor is one that was handed in, or one of the few kinds
// that a hypervisor makes for itself.
func (a *linuxAudit) handles() {
	if len(a.fds) == 0 {
		a.add(GroupHandles, "descriptors", Unknown, "only planned ones", "cannot be read")
		return
	}
	if a.plan == nil {
		a.foreignHandles()
		return
	}
	planned := a.plannedFiles()
	var extra []string
	counts := map[string]int{}
	for _, d := range a.fds {
		kind := a.kindOf(d, planned)
		if kind == "" {
			extra = append(extra, fmt.Sprintf("%d -> %s", d.Number, d.Target))
			continue
		}
		counts[kind]++
	}
	a.none(GroupHandles, "descriptors", "only planned ones", extra)
	var kinds []string
	for k, n := range counts {
		kinds = append(kinds, fmt.Sprintf("%d %s", n, k))
	}
	sort.Strings(kinds)
	a.add(GroupHandles, "kinds", Seen, "as planned", strings.Join(kinds, ", "))
	var missing []string
	for _, h := range plan.Specs[*plan.Hypervisor](a.plan) {
		for _, d := range h.Descriptors {
			if !a.hasFD(d.Number) && d.Use == string(hypervisor.UseListen) {
				missing = append(missing, d.Name)
			}
		}
	}
	if len(missing) > 0 {
		a.add(GroupHandles, "planned", Missing, "every planned socket is held", "closed: "+strings.Join(missing, ", "))
	}
}

func (a *linuxAudit) hasFD(n int) bool {
	for _, d := range a.fds {
		if d.Number == n {
			return true
		}
	}
	return false
}

// plannedFiles maps the files of the plan by device and inode.
func (a *linuxAudit) plannedFiles() map[[2]uint64]string {
	m := map[[2]uint64]string{}
	add := func(path, kind string) {
		if info, err := os.Stat(path); err == nil {
			if dev, ino, ok := identity(info); ok {
				m[[2]uint64{dev, ino}] = kind
			}
		}
	}
	for _, r := range a.plan.Resources {
		switch s := r.Spec.(type) {
		case *plan.Disk:
			add(s.Path, "disk")
		case *plan.Vars:
			add(s.Path, "variables")
		case *plan.Firmware:
			add(s.From, "firmware")
		case *plan.Log:
			if s.Name == "console-log" {
				add(s.Path, "log")
			}
		}
	}
	add(os.DevNull, "null")
	return m
}

// ownKinds are what a hypervisor makes for itself without a call that reaches
// anything outside.
var ownKinds = []string{"[eventfd]", "[eventpoll]", "[signalfd]", "[timerfd]", "kvm-vm", "kvm-vcpu"}

// kindOf says what a descriptor is, or "" for one that is on no list.
func (a *linuxAudit) kindOf(d Descriptor, planned map[[2]uint64]string) string {
	if rest, ok := strings.CutPrefix(d.Target, "anon_inode:"); ok {
		for _, k := range ownKinds {
			if strings.HasPrefix(rest, k) {
				return "own"
			}
		}
		return ""
	}
	switch {
	case strings.HasPrefix(d.Target, "pipe:") && d.Number == 2:
		return "standard error"
	case strings.HasPrefix(d.Target, "/memfd:hello") && len(plan.Specs[*plan.Firmware](a.plan)) > 0:
		return "firmware"
	case strings.HasPrefix(d.Target, "/memfd:tcg-jit") && a.plan.Accel == "tcg":
		return "own"
	case strings.HasPrefix(d.Target, "/memfd:displaysurface") && len(plan.Specs[*plan.Screen](a.plan)) > 0:
		return "surface"
	case strings.HasPrefix(d.Target, "/dev/net/tun") && len(plan.Specs[*plan.Tap](a.plan)) > 0:
		return "tap"
	case strings.HasSuffix(d.Target, "/kvm") && a.plan.Accel == "kvm":
		// Its mount is detached by now, so the path begins there.
		return "kvm"
	case strings.HasPrefix(d.Target, "socket:"):
		return a.socketKind(d)
	}
	return planned[[2]uint64{d.Dev, d.Inode}]
}

// socketKind knows a socket by the name that it was bound to: one of the
// plan's. Sockets that were handed in connected have none.
func (a *linuxAudit) socketKind(d Descriptor) string {
	name, ok := a.sockets[d.Inode]
	if !ok {
		return ""
	}
	for _, s := range plan.Specs[*plan.Socket](a.plan) {
		if s.Path != "" && sameSocket(name, s.Path) || s.Listen != "" && samePort(name, s.Listen) {
			return s.Name
		}
	}
	for _, s := range plan.Specs[*plan.Screen](a.plan) {
		if s.Path != "" && sameSocket(name, s.Path) || s.Listen != "" && strings.HasPrefix(name, "tcp") ||
			strings.HasPrefix(name, "unix socket without") {
			return "screen"
		}
	}
	return ""
}

// sameSocket compares names; a socket that was bound by way of a descriptor of
// its directory shows that way.
func sameSocket(name, path string) bool {
	return name == path || strings.HasPrefix(name, "/proc/self/fd/") && filepath.Base(name) == filepath.Base(path)
}

// samePort says whether a TCP socket's own address, as the kernel's tables have
// it, is on the port of a listener; an accepted one has the same.
func samePort(name, listen string) bool {
	_, port, err := net.SplitHostPort(listen)
	n, nerr := strconv.Atoi(port)
	return err == nil && nerr == nil && strings.HasPrefix(name, "tcp") && strings.HasSuffix(name, fmt.Sprintf(":%04X", n))
}

// foreignHandles lists what a hypervisor of somebody else's holds.
func (a *linuxAudit) foreignHandles() {
	var paths []string
	for _, d := range a.fds {
		if d.Target == "" {
			a.add(GroupHandles, "descriptors", Unknown, "none that a plan does not name", "cannot be read")
			return
		}
		if strings.HasPrefix(d.Target, "/") && d.Target != os.DevNull {
			paths = append(paths, fmt.Sprintf("%d -> %s", d.Number, d.Target))
		}
	}
	a.none(GroupHandles, "descriptors", "none that a plan does not name", paths)
}
