package audit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/jail"
	"skep/internal/layer"
	"skep/internal/network"
	"skep/internal/plan"
	"skep/internal/store"
)

// linuxCell is a running cell on a Linux host, as its keeper wrote it down.
func linuxCell(t *testing.T, body string) store.State {
	t.Helper()
	c, diags := cell.Parse("web.hcl", []byte("cell \"web\" {\n"+body+"\n}\n"))
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	facts, err := host.Reference("linux")
	if err != nil {
		t.Fatal(err)
	}
	p, problems := plan.Make(c, facts)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r := &jail.Record{Filters: []jail.FilterRecord{{Name: "calls", SHA256: strings.Repeat("a", 64), Instructions: 200}}, RunCalls: 34,
		Sealed: true, MasksSignals: true, LandlockABI: 6, Limits: map[string][2]uint64{"stack": {8 << 20, infinity}, "fsize": {2 << 20, 2 << 20}},
		Cgroups:  map[string]string{"v2": groupPath, "freezer": "/"},
		Standing: &jail.Standing{Affinity: "0-3", Scheduler: "other, nice 0", Settings: settingsThen()}}
	for _, l := range layer.Table {
		r.Layers = append(r.Layers, layer.Decision{ID: l.ID, Verdict: layer.Applied})
	}
	for _, tap := range plan.Specs[*plan.Tap](p) {
		if r.Links == nil {
			r.Links = map[string]network.Link{}
		}
		r.Links[tap.Label] = tapLink(tap)
	}
	return store.State{Name: "web", PID: testPID, KeeperPID: testKeeper, Plan: p, Cell: c, Relaxations: c.Relaxations(), Jail: r,
		Reach: &store.Reach{Mounts: 1}}
}

const groupPath = "/skep/web"

func settingsThen() map[string]string {
	return map[string]string{jail.HostName: "web", "net/ipv4/ip_forward": "0"}
}

func tapLink(t *plan.Tap) network.Link {
	return network.Link{Kind: "tap", Tag: t.Tag, Index: 7, Master: t.Bridge, MAC: "02:00:00:00:00:07", MTU: 1500, Up: true}
}

// cleanLinux is what a cell shows of itself that has all of its plan and no more.
func cleanLinux(t *testing.T, st store.State) *linuxSeen {
	t.Helper()
	j := plan.Specs[*plan.Jail](st.Plan)[0]
	four := func(n int) string { return strings.TrimSpace(strings.Repeat(strconv.Itoa(n)+" ", 4)) }
	status := map[string]string{"State": "S (sleeping)", "Pid": strconv.Itoa(testPID), "TracerPid": "0", "Uid": four(j.UID), "Gid": four(j.GID), "Groups": "",
		"NoNewPrivs": "1", "Seccomp": "2", "Seccomp_filters": "1", "SigBlk": "0000000000004007", "Cpus_allowed_list": "0-3"}
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		status[set] = "0000000000000000"
	}
	s := &linuxSeen{PID: testPID, ByRoot: true, Status: status, NS: map[string]string{}, HostNS: map[string]string{},
		Mounts: []linuxMount{{Point: "/", Options: "ro,nosuid,nodev,noexec,relatime", Kind: "tmpfs"}}, OOM: "500",
		UIDMap: fmt.Sprintf("%d %d 1", j.UID, j.UID), GIDMap: fmt.Sprintf("%d %d 1", j.GID, j.GID),
		Limits:  map[string][2]uint64{"stack": {8 << 20, infinity}, "fsize": {2 << 20, 2 << 20}},
		Cgroups: map[string]string{"v2": groupPath, "freezer": "/"}, Groups: map[string]groupSeen{}, Devices: []string{"lo"}, AddressRead: true,
		Persona: "00000000", Randomize: "2", PageSize: 4096, Standing: jail.Standing{Settings: settingsThen()},
		Exe:     &Program{PIE: Yes, RELRO: Yes, BindNow: Yes, NXStack: Yes, Protector: Yes, Setuid: No},
		Sockets: map[uint64]string{}, PlanFiles: map[string]fileID{}}
	for i, n := range namespaces {
		s.NS[n], s.HostNS[n] = fmt.Sprintf("%s:[%d]", n, 100+i), fmt.Sprintf("%s:[%d]", n, i)
	}
	for _, l := range j.Rlimits {
		s.Limits[l.Name] = [2]uint64{l.Value, l.Value}
	}
	for _, g := range plan.Specs[*plan.Cgroup](st.Plan) {
		g.Path = "/sys/fs/cgroup" + groupPath
		seen := groupSeen{Files: map[string]string{}}
		for _, l := range g.Limits {
			seen.Files[l.File] = l.Value
		}
		s.Groups[g.Path] = seen
	}
	const ram = 0x7f0000000000
	s.Areas = []linuxArea{{0x400000, 0x500000, "r-xp", true}, {0x500000, 0x600000, "rw-p", true},
		{ram, ram + uint64(st.Cell.Memory), "rw-p", false}, {ram + uint64(st.Cell.Memory), ram + uint64(st.Cell.Memory) + 4096, "---p", false}}
	s.handOver(st)
	for _, tap := range plan.Specs[*plan.Tap](st.Plan) {
		if s.Links == nil {
			s.Links = map[string]network.Link{}
		}
		s.Links[tap.Name] = tapLink(tap)
	}
	for _, pid := range []string{"700", "701"} {
		th := map[string]string{}
		for k, v := range status {
			th[k] = v
		}
		th["Pid"] = pid
		s.Threads = append(s.Threads, linuxThread{Status: th, NS: s.NS, Cgroups: s.Cgroups, Scheduler: "other, nice 0"})
	}
	return s
}

// handOver gives it the descriptors of its plan, and those that any hypervisor makes.
func (s *linuxSeen) handOver(st store.State) {
	inode := uint64(1000)
	for _, path := range []string{devNull} {
		s.PlanFiles[path] = fileID{5, 4}
		s.FDs = append(s.FDs, Descriptor{Number: 0, Target: path, Dev: 5, Inode: 4})
	}
	for path, kind := range planFiles(st.Plan) {
		if kind != "null" {
			inode++
			s.PlanFiles[path] = fileID{9, inode}
		}
	}
	s.FDs = append(s.FDs, Descriptor{Number: 1, Target: devNull, Dev: 5, Inode: 4}, Descriptor{Number: 2, Target: "pipe:[77]"})
	for _, h := range plan.Specs[*plan.Hypervisor](st.Plan) {
		for _, d := range h.Descriptors {
			inode++
			fd := Descriptor{Number: d.Number, Target: fmt.Sprintf("socket:[%d]", inode), Inode: inode}
			switch {
			case strings.Contains(d.Name, "log"):
				for path, kind := range planFiles(st.Plan) {
					if kind == "log" {
						fd = Descriptor{Number: d.Number, Target: path, Dev: 9, Inode: s.PlanFiles[path].Inode}
					}
				}
			case d.Name == "kvm":
				fd.Target = "/kvm"
			default:
				for _, k := range plan.Specs[*plan.Socket](st.Plan) {
					if k.Name == d.Name {
						s.Sockets[inode] = k.Path
					}
				}
				if s.Sockets[inode] == "" {
					fd.Target = "/memfd:hello (deleted)"
				}
			}
			s.FDs = append(s.FDs, fd)
		}
	}
	s.FDs = append(s.FDs, Descriptor{Number: 90, Target: "anon_inode:[eventfd]"}, Descriptor{Number: 91, Target: "anon_inode:kvm-vm"})
}

// A cell that is as its plan says passes.
func TestLinuxClean(t *testing.T) {
	for name, body := range map[string]string{"hello": "", "emulated": `accel = "tcg"`, "large": `memory = "8G"`,
		"nic": "nic \"lan\" {\n bridge = \"br0\"\n}"} {
		t.Run(name, func(t *testing.T) {
			st := linuxCell(t, body)
			r := judgeLinux(cleanLinux(t, st), st)
			for _, row := range r.Bad() {
				t.Errorf("%s is %s: %s (wanted: %s)", row.ID, row.Verdict, row.Seen, row.Want)
			}
			if !r.OK || len(r.Rows) < 60 {
				t.Errorf("ok %v, %d rows", r.OK, len(r.Rows))
			}
		})
	}
}

// The eight stand first, in the article's order, on this host as on FreeBSD.
func TestLinuxEight(t *testing.T) {
	st := linuxCell(t, "")
	var ids []string
	for _, row := range judgeLinux(cleanLinux(t, st), st).Rows[:8] {
		ids = append(ids, row.ID)
	}
	if want := []string{"aslr", "strict-wx", "cfi", "full-relro", "safestack", "jailed", "guard-pages", "capsicum"}; !slices.Equal(ids, want) {
		t.Errorf("%v", ids)
	}
}

// linuxTampering is one thing that is taken away or added, and the row where it shows.
type linuxTampering struct {
	name, row string
	verdict   Verdict
	do        func(s *linuxSeen)
	also      string // other rows where it shows
}

func threads(s *linuxSeen, field, value string) {
	for i := range s.Threads {
		s.Threads[i].Status[field] = value
	}
}

// everywhere changes a line of the process's status and of each of its threads.
func everywhere(field, value string) func(*linuxSeen) {
	return func(s *linuxSeen) { s.Status[field] = value; threads(s, field, value) }
}

var linuxTamperings = []linuxTampering{
	{"ASLR is off on the host", "aslr", Missing, func(s *linuxSeen) { s.Randomize = "0" }, ""},
	{"ASLR is off for it", "aslr", Missing, func(s *linuxSeen) { s.Persona = "00040000" }, ""},
	{"it is no PIE", "aslr", Missing, func(s *linuxSeen) { s.Exe.PIE = No }, "pie"},
	{"the personality cannot be read", "aslr", Unknown, func(s *linuxSeen) { s.Persona = "" }, ""},
	{"writable code", "strict-wx", Missing, func(s *linuxSeen) { s.Areas[0].Mode = "rwxp" }, ""},
	{"the mappings cannot be read", "strict-wx", Unknown, func(s *linuxSeen) { s.Areas = nil }, "guard-pages"},
	{"no RELRO", "full-relro", Missing, func(s *linuxSeen) { s.Exe.RELRO = No }, ""},
	{"late binding", "full-relro", Missing, func(s *linuxSeen) { s.Exe.BindNow = No }, ""},
	{"no program", "program", Unknown, func(s *linuxSeen) { s.Exe = nil }, "aslr cfi full-relro safestack"},
	{"no guard behind", "guard-pages", Missing, func(s *linuxSeen) { s.Areas[3].Mode = "rw-p" }, ""},
	{"no memory of the guest's size", "guard-pages", Unknown, func(s *linuxSeen) { s.Areas = s.Areas[:2] }, ""},
	{"no filter", "seccomp", Missing, everywhere("Seccomp", "0"), "capsicum"},
	{"a filter is gone", "seccomp-filters", Missing, everywhere("Seccomp_filters", "0"), ""},
	{"the filter cannot be read", "capsicum", Unknown, everywhere("Seccomp", ""), "seccomp"},
	{"another user", "uid", Missing, everywhere("Uid", "0 0 0 0"), ""},
	{"another group", "gid", Missing, everywhere("Gid", "0 0 0 0"), ""},
	{"a wider map of users", "uid-map", Missing, func(s *linuxSeen) { s.UIDMap = "0 0 4294967295" }, ""},
	{"a wider map of groups", "gid-map", Missing, func(s *linuxSeen) { s.GIDMap = "0 0 4294967295" }, ""},
	{"another process has its user", "uid-company", Extra, func(s *linuxSeen) { s.SameUID = []string{"9 (sh)"} }, ""},
	{"another process has its group", "gid-company", Extra, func(s *linuxSeen) { s.SameGID = []string{"9 (sh)"} }, ""},
	{"a supplementary group", "groups", Extra, func(s *linuxSeen) { s.Status["Groups"] = "27" }, ""},
	{"the groups cannot be read", "groups", Unknown, func(s *linuxSeen) { delete(s.Status, "Groups") }, ""},
	{"an inheritable capability", "cap-inh", Missing, func(s *linuxSeen) { s.Status["CapInh"] = "1" }, ""},
	{"a permitted capability", "cap-prm", Missing, everywhere("CapPrm", "1"), ""},
	{"an effective capability", "cap-eff", Missing, everywhere("CapEff", "1"), ""},
	{"a capability of the bounding set", "cap-bnd", Missing, func(s *linuxSeen) { s.Status["CapBnd"] = "1" }, ""},
	{"an ambient capability", "cap-amb", Missing, func(s *linuxSeen) { s.Status["CapAmb"] = "1" }, ""},
	{"new privileges can be had", "no-new-privs", Missing, everywhere("NoNewPrivs", "0"), ""},
	{"a thread without the filter", "threads", Extra, func(s *linuxSeen) { s.Threads[1].Status["Seccomp"] = "0" }, ""},
	{"a thread in another namespace", "threads", Extra, func(s *linuxSeen) { s.Threads[1].NS = map[string]string{"net": "net:[1]"} }, ""},
	{"a thread in another control group", "threads", Extra, func(s *linuxSeen) { s.Threads[1].Cgroups = map[string]string{"v2": "/"} }, ""},
	{"it is traced", "tracers", Extra, func(s *linuxSeen) { s.Threads[1].Status["TracerPid"] = "9" }, ""},
	{"the threads cannot be read", "tracers", Unknown, func(s *linuxSeen) { s.Threads = nil }, "runs stop-signals affinity scheduler"},
	{"a thread is stopped", "runs", Missing, func(s *linuxSeen) { s.Threads[0].Status["State"] = "T (stopped)" }, ""},
	{"it is frozen", "runs", Missing, func(s *linuxSeen) { s.Frozen = groupPath }, ""},
	{"it takes SIGTERM", "stop-signals", Missing, func(s *linuxSeen) { threads(s, "SigBlk", "0000000000000007") }, ""},
	{"what it takes cannot be read", "stop-signals", Unknown, func(s *linuxSeen) { threads(s, "SigBlk", "") }, ""},
	{"another host name", "host-name", Missing, func(s *linuxSeen) { s.Standing.Settings[jail.HostName] = "other" }, ""},
	{"the host name cannot be read", "host-name", Unknown, func(s *linuxSeen) { delete(s.Standing.Settings, jail.HostName) }, ""},
	{"another sysctl", "sysctls", Missing, func(s *linuxSeen) { s.Standing.Settings["net/ipv4/ip_forward"] = "1" }, ""},
	{"the sysctls cannot be read", "sysctls", Unknown, func(s *linuxSeen) { s.Standing.Settings = nil }, "host-name"},
	{"other processors", "affinity", Missing, func(s *linuxSeen) { threads(s, "Cpus_allowed_list", "0") }, ""},
	{"another priority", "scheduler", Missing, func(s *linuxSeen) { s.Threads[1].Scheduler = "fifo, priority 9" }, ""},
	{"the host's network", "ns-net", Missing, func(s *linuxSeen) { share(s, "net") }, "jailed"},
	{"the host's mounts", "ns-mnt", Missing, func(s *linuxSeen) { share(s, "mnt") }, "jailed"},
	{"the host's clock", "ns-time", Missing, func(s *linuxSeen) { share(s, "time") }, "jailed"},
	{"another process in a namespace", "ns-ipc", Extra, func(s *linuxSeen) { s.InNamespace = map[string][]string{"ipc": {"9 (sh)"}} }, ""},
	{"the namespaces cannot be read", "ns-user", Unknown, func(s *linuxSeen) { s.NS = map[string]string{} },
		"jailed threads ns-mnt ns-pid ns-net ns-ipc ns-uts ns-cgroup ns-time"},
	{"a file", "files", Extra, func(s *linuxSeen) { s.Files = []string{"/bin/sh"} }, ""},
	{"a node", "nodes", Extra, func(s *linuxSeen) { s.Nodes = []string{"/dev/mem"} }, ""},
	{"a directory cannot be read", "files", Unknown, func(s *linuxSeen) { s.Unread = []string{"/"} }, "nodes"},
	{"a mount", "mounts", Extra, func(s *linuxSeen) {
		s.Mounts = append(s.Mounts, linuxMount{Point: "/mnt", Options: "ro,nosuid,nodev,noexec", Kind: "ext4"})
	}, ""},
	{"no mounts can be read", "mounts", Unknown, func(s *linuxSeen) { s.Mounts = nil }, "mount-flags"},
	{"the root can be written to", "mount-flags", Extra, func(s *linuxSeen) { s.Mounts[0].Options = "rw,nosuid,nodev,noexec" }, ""},
	{"a network device", "network-devices", Extra, func(s *linuxSeen) { s.Devices = []string{"lo", "eth0"} }, ""},
	{"the network cannot be read", "network-devices", Unknown, func(s *linuxSeen) { s.Devices = nil }, ""},
	{"an address", "network-addresses", Extra, func(s *linuxSeen) { s.Address = []string{"127.0.0.1"} }, ""},
	{"the addresses cannot be read", "network-addresses", Unknown, func(s *linuxSeen) { s.AddressRead = false }, ""},
	{"a variable", "environ", Extra, func(s *linuxSeen) { s.Environ = 20 }, ""},
	{"the environment cannot be read", "environ", Unknown, func(s *linuxSeen) { s.Environ = -1 }, ""},
	{"a file of the host's", "descriptors", Extra, func(s *linuxSeen) {
		s.FDs = append(s.FDs, Descriptor{Number: 50, Target: "/etc/passwd", Dev: 9, Inode: 3})
	}, ""},
	{"a socket of nobody's", "descriptors", Extra, func(s *linuxSeen) { s.FDs = append(s.FDs, Descriptor{Number: 50, Target: "socket:[3]", Inode: 3}) }, ""},
	{"an epoll of another kind", "descriptors", Extra, func(s *linuxSeen) { s.FDs = append(s.FDs, Descriptor{Number: 50, Target: "anon_inode:[io_uring]"}) }, ""},
	{"the descriptors cannot be read", "descriptors", Unknown, func(s *linuxSeen) { s.FDs = nil }, ""},
	{"the QMP socket is closed", "planned", Missing, func(s *linuxSeen) {
		s.FDs = slices.DeleteFunc(s.FDs, func(d Descriptor) bool { return strings.Contains(s.Sockets[d.Inode], "qmp") })
	}, ""},
	{"a limit lowered", "rlimit-nofile", Missing, func(s *linuxSeen) { s.Limits["nofile"] = [2]uint64{64, 64} }, ""},
	{"a limit cannot be read", "rlimit-nofile", Unknown, func(s *linuxSeen) { delete(s.Limits, "nofile") }, ""},
	{"how large a file may become", "rlimit-fsize", Missing, func(s *linuxSeen) { s.Limits["fsize"] = [2]uint64{4096, 2 << 20} }, ""},
	{"a limit that no plan names", "rlimits", Missing, func(s *linuxSeen) { s.Limits["stack"] = [2]uint64{1 << 20, 1 << 20} }, ""},
	{"moved to another group", "cgroup-v2", Missing, func(s *linuxSeen) { move(s, "/other") }, ""},
	{"moved to the root group", "cgroup-v2", Missing, func(s *linuxSeen) { move(s, "/") }, ""},
	{"its groups cannot be read", "cgroup-v2", Unknown, func(s *linuxSeen) { delete(s.Cgroups, "v2") }, ""},
	{"another process in its group", "cgroup-v2", Extra, func(s *linuxSeen) { s.InCgroup = map[string][]string{"v2": {"9 (sh)"}} }, ""},
	{"a group below its own", "cgroup-v2", Extra, func(s *linuxSeen) { group(s, func(g *groupSeen) { g.Below = []string{"x"} }) }, ""},
	{"a limit of the group raised", "pids.max", Missing, func(s *linuxSeen) { group(s, func(g *groupSeen) { g.Files["pids.max"] = "4000" }) }, ""},
	{"a limit of the group is gone", "memory.max", Unknown, func(s *linuxSeen) { group(s, func(g *groupSeen) { delete(g.Files, "memory.max") }) }, ""},
	{"moved in another tree", "cgroups-other", Missing, func(s *linuxSeen) { s.Cgroups["freezer"] = "/x" }, ""},
	{"another oom score", "oom-score", Missing, func(s *linuxSeen) { s.OOM = "0" }, ""},
	{"a set-user-ID program", "setuid", Missing, func(s *linuxSeen) { s.Exe.Setuid = Yes }, ""},
}

func share(s *linuxSeen, ns string) { s.HostNS[ns] = s.NS[ns] }

func move(s *linuxSeen, to string) { s.Cgroups["v2"] = to }

func group(s *linuxSeen, do func(*groupSeen)) {
	for path, g := range s.Groups {
		do(&g)
		s.Groups[path] = g
	}
}

// Whatever is taken away or added shows in the row that it belongs to, and in no other but those named.
func TestLinuxTampered(t *testing.T) {
	for _, tt := range linuxTamperings {
		t.Run(tt.name, func(t *testing.T) {
			st := linuxCell(t, "")
			s := cleanLinux(t, st)
			tt.do(s)
			r := judgeLinux(s, st)
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

// What the host could not give is named, and is no failure; what nobody recorded is unknown.
func TestLinuxWaived(t *testing.T) {
	st := linuxCell(t, "")
	for i, d := range st.Jail.Layers {
		switch d.ID {
		case layer.TimeNamespace, layer.OwnUID, layer.NoGroups:
			st.Jail.Layers[i].Verdict = layer.NotPrivileged
		case layer.WXMDWE:
			st.Jail.Layers[i] = layer.Decision{ID: d.ID, Verdict: layer.Substituted, By: layer.WXSeccomp}
		case layer.Landlock:
			st.Jail.Layers[i].Verdict = layer.NothingToApply
		}
	}
	s := cleanLinux(t, st)
	share(s, "time")
	s.SameUID, s.SameGID, s.Status["Groups"] = []string{"9 (sh)"}, []string{"9 (sh)"}, "27"
	s.ByRoot, s.Standing.Settings, st.Jail.Standing.Settings = false, nil, nil
	st.Refused = &jail.Refusals{Run: map[string]uint64{"socket": 3, "unlink": 1}, Expected: map[string]uint64{"unlink": 1}, Uncounted: jail.NoKeeper}
	r := judgeLinux(s, st)
	for _, row := range r.Bad() {
		t.Errorf("%s is %s: %s (wanted: %s)", row.ID, row.Verdict, row.Seen, row.Want)
	}
	for id, seen := range map[string]string{"uid-company": "the caller's own uid", "refused-calls": "socket (3), " + jail.NoKeeper,
		"expected-refusals": "unlink (1)", "sysctls": "only root", "landlock": "nothing to apply", "strict-wx": "the filter refuses any"} {
		if got := seenIn(r, id); !strings.Contains(got, seen) {
			t.Errorf("%s: %q, want %q", id, got, seen)
		}
	}
	st.Jail.Sealed = false
	if v := verdictOf(judgeLinux(s, st), "two-phases"); v != Missing {
		t.Errorf("a start that never ended is %q", v)
	}
	st.Jail = nil
	if v := verdictOf(judgeLinux(s, st), "landlock"); v != Unknown {
		t.Errorf("what no launcher recorded is %q", v)
	}
}

func seenIn(r Report, id string) string {
	for _, row := range r.Rows {
		if row.ID == id {
			return row.Seen
		}
	}
	return ""
}

// A hypervisor that somebody else started is judged by the same table: root, its files and its groups show.
func TestLinuxAnyProcess(t *testing.T) {
	st := linuxCell(t, "")
	s := cleanLinux(t, st)
	everywhere("Uid", "0 0 0 0")(s)
	move(s, "/")
	s.FDs = append(s.FDs, Descriptor{Number: 50, Target: "/var/lib/disk.img"})
	s.Limits["core"] = [2]uint64{0, infinity}
	r := judgeAnyLinux(s)
	for id, want := range map[string]Verdict{"uid": Missing, "descriptors": Extra, "cgroup-memory": Missing, "rlimit-core": Missing, "strict-wx": Unknown,
		"jailed": Seen} {
		if got := verdictOf(r, id); got != want {
			t.Errorf("%s is %q, want %q", id, got, want)
		}
	}
	move(s, "/user.slice/x")
	s.InCgroup = map[string][]string{"memory": {"9 (sh)"}}
	s.FDs = []Descriptor{{Number: 3}}
	r = judgeAnyLinux(s)
	if !strings.Contains(seenIn(r, "cgroup-memory"), "1 other in it") || verdictOf(r, "cgroup-pids") != Seen || verdictOf(r, "descriptors") != Unknown {
		t.Errorf("%+v", r.Bad())
	}
}

// A card on another bridge is a guest in another network, and one whose tap is gone has none.
func TestLinuxNics(t *testing.T) {
	st := linuxCell(t, "nic \"lan\" {\n bridge = \"br0\"\n}")
	s := cleanLinux(t, st)
	name := plan.Specs[*plan.Tap](st.Plan)[0].Name
	l := s.Links[name]
	l.Port.RateIn = 4096
	s.Links[name] = l
	if v := verdictOf(judgeLinux(s, st), "nic-lan-port"); v != Missing {
		t.Errorf("with a limit of somebody's: %q", v)
	}
	l.Port.RateIn, l.Port.Isolated = 0, true
	s.Links[name] = l
	if v := verdictOf(judgeLinux(s, st), "nic-lan-port"); v != Missing {
		t.Errorf("isolated by somebody: %q", v)
	}
	l.Port.Isolated = false
	l.Master = "br9"
	s.Links[name] = l
	if v := verdictOf(judgeLinux(s, st), "nic-lan-master"); v != Missing {
		t.Errorf("on another bridge: %q", v)
	}
	delete(s.Links, name)
	if v := verdictOf(judgeLinux(s, st), "nic-lan-tap"); v != Missing {
		t.Errorf("without its tap: %q", v)
	}
	s.LinksErr = map[string]string{name: "netlink: permission denied"}
	if v := verdictOf(judgeLinux(s, st), "nic-lan-tap"); v != Unknown {
		t.Errorf("unread: %q", v)
	}
}
