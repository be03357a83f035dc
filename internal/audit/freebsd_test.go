package audit

import (
	"slices"
	"strings"
	"testing"

	"skep/internal/cell"
	"skep/internal/devfs"
	"skep/internal/host"
	"skep/internal/jail"
	"skep/internal/kinfo"
	"skep/internal/plan"
	"skep/internal/store"
)

// The process and the keeper of these tests.
const (
	testPID    = 700
	testKeeper = 650
	testJID    = 4
)

// bsdCell is a running cell on a FreeBSD host, as its keeper wrote it down.
func bsdCell(t *testing.T, body string) store.State {
	t.Helper()
	c, diags := cell.Parse("web.hcl", []byte("cell \"web\" {\n"+body+"\n}\n"))
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	facts, err := host.Reference("freebsd")
	if err != nil {
		t.Fatal(err)
	}
	p, problems := plan.Make(c, facts)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return store.State{Name: "web", PID: testPID, KeeperPID: testKeeper, Plan: p, Cell: c, Relaxations: c.Relaxations(),
		Jail: &jail.Record{Limits: otherLimits()}}
}

// otherLimits are those that the plan does not name.
func otherLimits() map[string][2]uint64 {
	return map[string][2]uint64{"stack": {1 << 29, 1 << 29}, "fsize": {2 << 20, 2 << 20}}
}

func same(p string) string { return p }

func num(n int32) *int32 { return &n }

// rightsOf are the rights of these names, marked as the kernel marks them.
func rightsOf(t *testing.T, names string) kinfo.Rights {
	t.Helper()
	r, err := kinfo.NamedRights(names)
	if err != nil {
		t.Fatal(err)
	}
	return kinfo.Rights{r[0] | 1<<57, r[1] | 1<<58}
}

// cleanSeen is what a cell shows of itself that has all of its plan and no
// more: the numbers are those of a FreeBSD 14.2.
func cleanSeen(t *testing.T, st store.State) *bsdSeen {
	t.Helper()
	w, err := wantOf(st, same)
	if err != nil {
		t.Fatal(err)
	}
	s := &bsdSeen{
		Proc:     kinfo.Proc{PID: testPID, Parent: testKeeper, Comm: "bhyve", Groups: []int{0}, JID: testJID, Threads: 9, Capability: true},
		Controls: kinfo.Controls{ASLR: num(-0x7fffffff), WXMap: num(-0x7ffffffe), NoNewPrivs: num(1), Trace: num(-1)},
		Params:   map[string]string{"jid": "4", "children.cur": "0", "dying": "false", "vnet": "inherit", "host": "new", "allow.mount.tmpfs": "false", "sysvshm": "disable"},
		Devices:  map[int]string{0: "null", 4: "vmm/web", 6: strings.TrimPrefix(w.modem.Inside, "/dev/")}, FilesRead: true,
		EnvRead: true, Limits: otherLimits(), RulesRead: true, Counted: true,
		Sysctls: map[string]string{"kern.elf64.allow_wx": "1"},
		Exe: &bsdProgram{Path: "/usr/sbin/bhyve", Same: true, Program: Program{PIE: Yes, RELRO: Yes, BindNow: No, NXStack: Yes, Protector: Yes, SafeStack: Undetermined,
			CFI: Undetermined, IBT: No, SHSTK: No, Setuid: No, RelroFrom: 0x60000, RelroTo: 0x62000, Controlled: Yes}},
	}
	for _, p := range w.params() {
		s.Params[p.Name] = p.Value()
	}
	for _, l := range w.bhyve.Rlimits {
		s.Limits[l.Name] = [2]uint64{l.Value, l.Value}
	}
	for _, r := range plan.Specs[*plan.Rctl](st.Plan) {
		s.Rules = append(s.Rules, r.Rules...)
	}
	log := kinfo.File{Type: kinfo.TypeVnode, Vnode: kinfo.Regular, Rights: rightsOf(t, "event fcntl fstat ioctl seek seek_tell write")}
	for _, l := range plan.Specs[*plan.Log](st.Plan) {
		if l.Name == "hypervisor-log" {
			log.Path = l.Path
		}
	}
	second := log
	log.FD, second.FD = 1, 2
	dir := func(fd int) kinfo.File {
		return kinfo.File{FD: fd, Type: kinfo.TypeVnode, Vnode: kinfo.Directory, Path: w.root()}
	}
	device := func(fd int, rights kinfo.Rights) kinfo.File {
		return kinfo.File{FD: fd, Type: kinfo.TypeVnode, Vnode: kinfo.Character, Rights: rights}
	}
	s.Files = []kinfo.File{
		{FD: kinfo.Text, Type: kinfo.TypeVnode, Vnode: kinfo.Regular, ID: 33, Fsid: 9}, dir(kinfo.CWD), dir(kinfo.Root), dir(kinfo.Jail),
		device(0, kinfo.AllRights), log, second,
		device(4, rightsOf(t, "ioctl mmap seek seek_tell read write")),
		{FD: 5, Type: kinfo.TypeKqueue, Rights: rightsOf(t, "kqueue_event kqueue_change")},
		device(6, rightsOf(t, "event ioctl read write")),
		{FD: 7, Type: kinfo.TypePipe, Rights: rightsOf(t, "event read write")},
		{FD: 8, Type: kinfo.TypePipe, Rights: rightsOf(t, "event read write")},
	}
	const base, ram = 0x200000, 0x10000000
	s.Areas = []kinfo.Area{
		{From: base, To: base + 0x20000, Type: kinfo.AreaFile, Mode: kinfo.AreaRead, ID: 33, Fsid: 9},
		{From: base + 0x20000, To: base + 0x60000, Type: kinfo.AreaFile, Mode: kinfo.AreaRead | kinfo.AreaExec, ID: 33, Fsid: 9},
		{From: base + 0x60000, To: base + 0x62000, Type: kinfo.AreaFile, Mode: kinfo.AreaRead, ID: 33, Fsid: 9},
		{From: base + 0x62000, To: base + 0x64000, Type: kinfo.AreaFile, Mode: kinfo.AreaRead | kinfo.AreaWrite, ID: 33, Fsid: 9},
		{From: ram - 4<<20, To: ram, Type: kinfo.AreaGuard},
		{From: ram, To: ram + w.memory, Type: kinfo.AreaSwap, Mode: kinfo.AreaRead | kinfo.AreaWrite, NoDump: true},
		{From: ram + w.memory, To: ram + w.memory + 4<<20, Type: kinfo.AreaGuard},
	}
	rules, err := w.set.Rules()
	if err != nil {
		t.Fatal(err)
	}
	s.Rootfs = bsdRootfs{Root: w.root(), Flags: immutable, MountRead: true, FilesRead: true, Dev: true, NodesRead: true,
		Nodes: []devfs.Node{}, Ruleset: w.set.Number, Rules: rules, Report: &devfs.Report{Number: w.set.Number}}
	for _, m := range w.mountTable() {
		s.Rootfs.Mounts = append(s.Rootfs.Mounts, bsdMount{On: m.on, Kind: m.kind, Flags: m.flags})
	}
	s.Rootfs.Files = w.files()
	s.Worker = cleanWorker(t, w)
	return s
}

// cleanWorker is a worker as its plan says.
func cleanWorker(t *testing.T, want *bsdWant) *bsdSeen {
	t.Helper()
	spec, err := only[*plan.Worker](want.plan)
	if err != nil {
		t.Fatal(err)
	}
	s := &bsdSeen{
		Proc: kinfo.Proc{PID: testPID + 1, Parent: testKeeper, Comm: "skep", UID: spec.UID, RUID: spec.UID, SVUID: spec.UID, Groups: []int{spec.GID},
			RGID: spec.GID, SVGID: spec.GID, JID: testJID - 1, Threads: 5, Capability: true},
		Controls: kinfo.Controls{ASLR: num(-0x7fffffff), WXMap: num(-0x7ffffffe), NoNewPrivs: num(1), Trace: num(-1)},
		Params:   map[string]string{"children.cur": "0", "dying": "false", "vnet": "inherit", "allow.vmm": "false", "sysvshm": "disable"},
		Devices:  map[int]string{0: "null", 6: strings.TrimPrefix(want.modem.Outside, "/dev/")}, FilesRead: true,
		Limits: map[string][2]uint64{}, Rules: slices.Clone(spec.Rules), RulesRead: true, Counted: true,
		Rootfs: bsdRootfs{Root: spec.Root, MountRead: true, FilesRead: true, Mounts: []bsdMount{{On: spec.Root, Kind: "tmpfs", Flags: mntReadOnly | mntNoSUID | mntNoExec}}},
	}
	for _, p := range spec.Params() {
		s.Params[p.Name] = p.Value()
	}
	for _, l := range spec.Rlimits {
		s.Limits[l.Name] = [2]uint64{l.Value, l.Value}
	}
	for _, fd := range []int{kinfo.CWD, kinfo.Root, kinfo.Jail} {
		s.Files = append(s.Files, kinfo.File{FD: fd, Type: kinfo.TypeVnode, Vnode: kinfo.Directory, Path: spec.Root})
	}
	file := func(fd int, kind kinfo.Vnode, path, rights string) {
		s.Files = append(s.Files, kinfo.File{FD: fd, Type: kinfo.TypeVnode, Vnode: kind, Path: path, Rights: rightsOf(t, rights)})
	}
	logs := map[string]string{}
	for _, l := range plan.Specs[*plan.Log](want.plan) {
		logs[l.Name] = l.Path
	}
	file(0, kinfo.Character, "/dev/null", "")
	file(1, kinfo.Regular, logs["hypervisor-log"], "write fstat")
	file(2, kinfo.Regular, logs["hypervisor-log"], "write fstat")
	file(5, kinfo.Regular, logs["hypervisor-log"], "read seek seek_tell fstat")
	file(6, kinfo.Character, "", "read write event fcntl")
	file(7, kinfo.Regular, logs["console-log"], "read write seek seek_tell fstat ftruncate")
	s.Files = append(s.Files, kinfo.File{FD: 3, Type: kinfo.TypeSocket, Domain: kinfo.AFUnix, Rights: rightsOf(t, "read write event fcntl")},
		kinfo.File{FD: 4, Type: kinfo.TypeKqueue, Rights: kinfo.AllRights})
	return s
}

func verdictOf(r Report, id string) Verdict {
	for _, row := range r.Rows {
		if row.ID == id {
			return row.Verdict
		}
	}
	return ""
}

func mustJudge(t *testing.T, s *bsdSeen, st store.State) Report {
	t.Helper()
	r, err := judgeFreeBSD(s, st, same)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A cell that is as its plan says passes, whatever is in its file.
func TestBSDClean(t *testing.T) {
	for name, body := range map[string]string{
		"hello":  "",
		"raised": "", // the host's own securelevel
		"large":  "memory = \"8G\"",
		"shared": "jail {\n network = \"shared\"\n ip4 = [\"192.168.1.2\", \"10.0.0.7\"]\n}",
	} {
		t.Run(name, func(t *testing.T) {
			st := bsdCell(t, strings.ReplaceAll(body, ", \"10.0.0.7\"", ""))
			s := cleanSeen(t, st)
			if name == "large" {
				ram := s.Areas[5].From
				s.Areas = append(s.Areas[:5], kinfo.Area{From: ram, To: ram + 3<<30, Type: kinfo.AreaSwap, Mode: 3, NoDump: true},
					kinfo.Area{From: ram + 3<<30, To: ram + 4<<30, Type: kinfo.AreaGuard},
					kinfo.Area{From: ram + 4<<30, To: ram + 9<<30, Type: kinfo.AreaSwap, Mode: 3, NoDump: true},
					kinfo.Area{From: ram + 9<<30, To: ram + 9<<30 + 4<<20, Type: kinfo.AreaGuard})
			}
			if name == "raised" {
				s.Rootfs.Flags, s.Rootfs.Owner, s.Rootfs.Mode = 0, plan.NobodyUID, 0o40555
			}
			r := mustJudge(t, s, st)
			for _, row := range r.Bad() {
				t.Errorf("%s is %s: %s (wanted: %s)", row.ID, row.Verdict, row.Seen, row.Want)
			}
			if !r.OK || len(r.Rows) < 60 {
				t.Errorf("ok %v, %d rows", r.OK, len(r.Rows))
			}
		})
	}
}

// The eight stand first, in the article's order.
func TestBSDEight(t *testing.T) {
	st := bsdCell(t, "")
	var ids []string
	for _, row := range mustJudge(t, cleanSeen(t, st), st).Rows[:8] {
		ids = append(ids, row.ID)
	}
	if want := []string{"aslr", "strict-wx", "cfi", "full-relro", "safestack", "jailed", "guard-pages", "capsicum"}; !slices.Equal(ids, want) {
		t.Errorf("%v", ids)
	}
}

// Whatever is taken away or added shows in the row that it belongs to, and in
// no other but those named.
func TestBSDTampered(t *testing.T) {
	st := bsdCell(t, "")
	for _, tt := range []struct {
		name, row string
		verdict   Verdict
		do        func(s *bsdSeen)
		also      string
	}{
		{"ASLR is off", "aslr", Missing, func(s *bsdSeen) { s.Controls.ASLR = num(2) }, ""},
		{"ASLR is not forced", "aslr", Missing, func(s *bsdSeen) { s.Controls.ASLR = num(-0x7ffffffd) }, ""},
		{"ASLR cannot be asked", "aslr", Unknown, func(s *bsdSeen) { s.Controls.ASLR = nil }, ""},
		{"W^X is not enforced", "strict-wx", Missing, func(s *bsdSeen) { s.Controls.WXMap = num(0) }, ""},
		{"writable code", "strict-wx", Missing, func(s *bsdSeen) { s.Areas[1].Mode = 7 }, "writable-code"},
		{"the mappings cannot be read", "strict-wx", Unknown, func(s *bsdSeen) { s.Areas = nil }, "full-relro guard-pages guest-dump writable-code"},
		{"RELRO is undone", "full-relro", Missing, func(s *bsdSeen) { s.Areas[2].Mode = 3 }, ""},
		{"no RELRO", "full-relro", Missing, func(s *bsdSeen) { s.Exe.RELRO = No }, ""},
		{"the host's bhyve was replaced", "full-relro", Unknown, func(s *bsdSeen) { s.Exe.Same = false }, "program"},
		{"another jail", "jailed", Missing, func(s *bsdSeen) { s.Params["name"] = "other" }, "jail-name"},
		{"no guard before", "guard-pages", Missing, func(s *bsdSeen) { s.Areas[4].Type = kinfo.AreaSwap }, ""},
		{"no guard behind", "guard-pages", Missing, func(s *bsdSeen) { s.Areas = s.Areas[:6] }, ""},
		{"no memory of the guest's size", "guard-pages", Unknown, func(s *bsdSeen) { s.Areas[5].To += 4096; s.Areas[6].From += 4096 }, "guest-dump"},
		{"out of capability mode", "capsicum", Missing, func(s *bsdSeen) { s.Proc.Capability = false }, ""},
		{"another user", "uid", Missing, func(s *bsdSeen) { s.Proc.SVUID = 5 }, ""},
		{"another group", "gid", Missing, func(s *bsdSeen) { s.Proc.Groups[0] = 5 }, ""},
		{"a supplementary group", "groups", Extra, func(s *bsdSeen) { s.Proc.Groups = []int{0, 5} }, ""},
		{"no worker", "worker-uid", Missing, func(s *bsdSeen) { s.Worker = nil },
			"worker-gid worker-company worker-capsicum worker-rights worker-jail worker-jid worker-rootfs worker-descriptors worker-descriptor-rights worker-rlimits worker-rctl"},
		{"the worker is root", "worker-uid", Missing, func(s *bsdSeen) { s.Worker.Proc.SVUID = 0 }, ""},
		{"the worker's group", "worker-gid", Missing, func(s *bsdSeen) { s.Worker.Proc.RGID = 0 }, ""},
		{"the worker has company", "worker-company", Extra, func(s *bsdSeen) { s.Worker.Inside = []kinfo.Proc{{PID: 9, Comm: "sh"}} }, ""},
		{"the worker is out of capability mode", "worker-capsicum", Missing, func(s *bsdSeen) { s.Worker.Proc.Capability = false }, ""},
		{"the worker can be traced", "worker-rights", Extra, func(s *bsdSeen) { s.Worker.Controls.Trace = num(0) }, ""},
		{"the worker has a group", "worker-rights", Extra, func(s *bsdSeen) { s.Worker.Proc.Groups = append(s.Worker.Proc.Groups, 0) }, ""},
		{"the worker is in no jail", "worker-jail", Missing, func(s *bsdSeen) { s.Worker.Proc.JID = 0 }, "worker-jid"},
		{"the worker is in bhyve's jail", "worker-jail", Missing, func(s *bsdSeen) { s.Worker.Proc.JID = testJID }, "worker-jid"},
		{"the worker may make VMs", "worker-jail", Extra, func(s *bsdSeen) { s.Worker.Params["allow.vmm"] = "true" }, ""},
		{"the worker has a network", "worker-jail", Extra, func(s *bsdSeen) { s.Worker.Params["ip4"] = "inherit" }, ""},
		{"the worker's root has a file", "worker-rootfs", Extra, func(s *bsdSeen) { s.Worker.Rootfs.Files = []string{"/x"} }, ""},
		{"the worker's root can be written to", "worker-rootfs", Extra, func(s *bsdSeen) { s.Worker.Rootfs.Mounts[0].Flags &^= mntReadOnly }, ""},
		{"the worker stands elsewhere", "worker-rootfs", Extra, func(s *bsdSeen) { s.Worker.Files[0].Path = "/" }, ""},
		{"the worker has a file of the host's", "worker-descriptors", Extra, func(s *bsdSeen) {
			s.Worker.Files = append(s.Worker.Files, kinfo.File{FD: 9, Type: kinfo.TypeVnode, Vnode: kinfo.Regular, Path: "/etc/passwd"})
		}, ""},
		{"the worker has another VM", "worker-descriptors", Extra, func(s *bsdSeen) {
			s.Worker.Files = append(s.Worker.Files, kinfo.File{FD: 9, Type: kinfo.TypeVnode, Vnode: kinfo.Character})
			s.Worker.Devices[9] = "vmm/other"
		}, ""},
		{"the worker may set up the console", "worker-descriptor-rights", Extra, func(s *bsdSeen) {
			for i, f := range s.Worker.Files {
				if f.FD == 6 {
					s.Worker.Files[i].Rights = kinfo.AllRights
				}
			}
		}, ""},
		{"the worker's limits", "worker-rlimits", Extra, func(s *bsdSeen) { s.Worker.Limits["nproc"] = [2]uint64{9, 9} }, ""},
		{"the worker's rules", "worker-rctl", Missing, func(s *bsdSeen) { s.Worker.Rules = s.Worker.Rules[1:] }, ""},
		{"company", "company", Extra, func(s *bsdSeen) { s.Inside = []kinfo.Proc{{PID: 800, Parent: 1, Comm: "sh"}} }, ""},
		{"a child of bhyve", "company", Extra, func(s *bsdSeen) {
			s.Inside = []kinfo.Proc{{PID: 800, Parent: testPID, Comm: "bhyve", Capability: true}}
		}, ""},
		{"privileges can be had", "no-new-privs", Missing, func(s *bsdSeen) { s.Controls.NoNewPrivs = num(2) }, ""},
		{"can be traced", "no-trace", Missing, func(s *bsdSeen) { s.Controls.Trace = num(0) }, ""},
		{"is traced", "tracers", Extra, func(s *bsdSeen) { s.Proc.Traced = true }, ""},
		{"ktrace", "tracers", Extra, func(s *bsdSeen) {
			s.Files = append(s.Files, kinfo.File{FD: kinfo.Trace, Type: kinfo.TypeVnode, Path: "/tmp/k"})
		}, ""},
		{"a terminal", "terminal", Extra, func(s *bsdSeen) { s.Files = append(s.Files, kinfo.File{FD: kinfo.CTTY, Path: "/dev/pts/0"}) }, ""},
		{"a permission raised", "jail-allow.raw_sockets", Extra, func(s *bsdSeen) { s.Params["allow.raw_sockets"] = "true" }, ""},
		{"root is root again", "jail-allow.suser", Extra, func(s *bsdSeen) { s.Params["allow.suser"] = "true" }, ""},
		{"a permission of a module", "jail-permissions", Extra, func(s *bsdSeen) { s.Params["allow.mount.tmpfs"] = "true" }, ""},
		{"the VM's permission is gone", "jail-allow.vmm", Missing, func(s *bsdSeen) { s.Params["allow.vmm"] = "false" }, ""},
		{"securelevel", "jail-securelevel", Missing, func(s *bsdSeen) { s.Params["securelevel"] = "-1" }, ""},
		{"a network", "jail-ip4", Missing, func(s *bsdSeen) { s.Params["ip4"] = "inherit" }, ""},
		{"a network stack", "jail-vnet", Missing, func(s *bsdSeen) { s.Params["vnet"] = "new" }, ""},
		{"a jail inside", "jail-children.cur", Missing, func(s *bsdSeen) { s.Params["children.cur"] = "1" }, ""},
		{"shared memory", "jail-sysvipc", Extra, func(s *bsdSeen) { s.Params["sysvshm"] = "new" }, ""},
		{"the parameters cannot be read", "jail-parameters", Unknown, func(s *bsdSeen) { s.Params = nil }, "jailed"},
		{"another root", "root", Missing, func(s *bsdSeen) { s.Files[2].Path = "/" }, ""},
		{"another directory", "root", Missing, func(s *bsdSeen) { s.Files[1].Path = "/var" }, ""},
		{"the root can be written to", "root-flags", Missing, func(s *bsdSeen) { s.Rootfs.Flags = 0 }, ""},
		{"the root is nobody's and can be written to", "root-flags", Missing, func(s *bsdSeen) {
			s.Rootfs.Flags, s.Rootfs.Owner, s.Rootfs.Mode = 0, plan.NobodyUID, 0o777
		}, ""},
		{"a mount", "mounts", Extra, func(s *bsdSeen) {
			s.Rootfs.Mounts = append(s.Rootfs.Mounts, bsdMount{On: s.Rootfs.Root + "/mnt", Kind: "nullfs", Flags: mntReadOnly})
		}, ""},
		{"a second mount in the same place", "mounts", Extra, func(s *bsdSeen) { s.Rootfs.Mounts = append(s.Rootfs.Mounts, s.Rootfs.Mounts[1]) }, ""},
		{"a mount is gone", "mounts", Missing, func(s *bsdSeen) { s.Rootfs.Mounts = s.Rootfs.Mounts[:1] }, ""},
		{"a mount has lost a flag", "mount-flags", Extra, func(s *bsdSeen) { s.Rootfs.Mounts[0].Flags &^= mntNoSUID }, ""},
		{"a file", "files", Extra, func(s *bsdSeen) { s.Rootfs.Files = []string{"/bin/sh"} }, ""},
		{"a node", "nodes", Extra, func(s *bsdSeen) { s.Rootfs.Nodes = []devfs.Node{{Path: "full"}} }, ""},
		{"the host's memory", "dangerous-nodes", Extra, func(s *bsdSeen) { s.Rootfs.Nodes = []devfs.Node{{Path: "mem", Type: devfs.Mem}} }, "nodes"},
		{"another rule", "ruleset", Extra, func(s *bsdSeen) {
			s.Rootfs.Rules = append(slices.Clone(s.Rootfs.Rules), devfs.Rule{Number: 900, HasPath: true, Path: "mem", Unhide: true})
		}, ""},
		{"a rule is gone", "ruleset", Missing, func(s *bsdSeen) { s.Rootfs.Rules = s.Rootfs.Rules[:2] }, ""},
		{"another rule set", "ruleset", Missing, func(s *bsdSeen) { s.Rootfs.Ruleset = 4 }, ""},
		{"a variable", "environ", Extra, func(s *bsdSeen) { s.Env = []string{"LD_PRELOAD"} }, ""},
		{"a file of the host's", "descriptors", Extra, func(s *bsdSeen) {
			s.Files = append(s.Files, kinfo.File{FD: 9, Type: kinfo.TypeVnode, Vnode: kinfo.Regular, Path: "/etc/passwd"})
		}, ""},
		{"a device of the host's", "descriptors", Extra, func(s *bsdSeen) {
			s.Files = append(s.Files, kinfo.File{FD: 9, Type: kinfo.TypeVnode, Vnode: kinfo.Character})
			s.Devices[9] = "mem"
		}, ""},
		{"another VM", "descriptors", Extra, func(s *bsdSeen) {
			s.Files = append(s.Files, kinfo.File{FD: 9, Type: kinfo.TypeVnode, Vnode: kinfo.Character})
			s.Devices[9] = "vmm/other"
		}, ""},
		{"a directory", "directories", Extra, func(s *bsdSeen) {
			s.Files = append(s.Files, kinfo.File{FD: 9, Type: kinfo.TypeVnode, Vnode: kinfo.Directory, Path: "/"})
		}, "descriptors"},
		{"a socket", "descriptors", Extra, func(s *bsdSeen) {
			s.Files = append(s.Files, kinfo.File{FD: 9, Type: kinfo.TypeSocket, Domain: kinfo.AFInet, Local: "0.0.0.0:22"})
		}, ""},
		{"more rights to the VM", "descriptor-rights", Extra, func(s *bsdSeen) { s.Files[7].Rights = kinfo.AllRights }, ""},
		{"the console is closed", "kinds", Missing, func(s *bsdSeen) { s.Files = slices.Delete(s.Files, 9, 10) }, ""},
		{"the descriptors cannot be read", "descriptors", Unknown, func(s *bsdSeen) { s.Files, s.FilesRead = nil, false }, "full-relro root terminal"},
		{"a limit lowered", "rlimit-nofile", Missing, func(s *bsdSeen) { s.Limits["nofile"] = [2]uint64{64, 64} }, ""},
		{"cores", "rlimit-core", Missing, func(s *bsdSeen) { s.Limits["core"] = [2]uint64{0, infinity} }, ""},
		{"how large a file may become", "rlimit-fsize", Missing, func(s *bsdSeen) { s.Limits["fsize"] = [2]uint64{4096, 2 << 20} }, ""},
		{"a limit that no plan names", "rlimits", Missing, func(s *bsdSeen) { s.Limits["stack"] = [2]uint64{1 << 20, 1 << 20} }, ""},
		{"a limit cannot be read", "rlimit-as", Unknown, func(s *bsdSeen) { delete(s.Limits, "as") }, ""},
		{"a rule removed", "rctl-maxproc", Missing, func(s *bsdSeen) {
			s.Rules = slices.DeleteFunc(s.Rules, func(r string) bool { return strings.Contains(r, "maxproc") })
		}, ""},
		{"a rule changed", "rctl-maxproc", Missing, func(s *bsdSeen) {
			for i, r := range s.Rules {
				if strings.Contains(r, "maxproc") {
					s.Rules[i] = "jail:skep-web:maxproc:deny=4000"
				}
			}
		}, ""},
		{"a rule added", "rctl", Extra, func(s *bsdSeen) { s.Rules = append(s.Rules, "jail:skep-web:pcpu:deny=1") }, ""},
		{"the guest's memory is dumped", "guest-dump", Missing, func(s *bsdSeen) { s.Areas[5].NoDump = false }, ""},
		{"a set-user-ID program", "setuid", Missing, func(s *bsdSeen) { s.Exe.Setuid = Yes }, ""},
		{"no program", "program", Unknown, func(s *bsdSeen) { s.Exe = nil }, "aslr cfi full-relro safestack"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := cleanSeen(t, st)
			tt.do(s)
			r := mustJudge(t, s, st)
			if got := verdictOf(r, tt.row); got != tt.verdict {
				t.Errorf("row %s is %q, want %q", tt.row, got, tt.verdict)
			}
			if r.OK {
				t.Error("it passes")
			}
			for _, row := range r.Bad() {
				if row.ID != tt.row && !slices.Contains(strings.Fields(tt.also), row.ID) {
					t.Errorf("%s is %s too: %s", row.ID, row.Verdict, row.Seen)
				}
			}
		})
	}
}
