package audit

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"skep/internal/devfs"
	"skep/internal/jail"
	"skep/internal/kinfo"
	"skep/internal/network"
	"skep/internal/plan"
	"skep/internal/store"
)

// Who may be in the jail besides bhyve: the keeper's own, and bhyve's helpers
// where it serves a directory, two at most, and nobody else.
func TestBSDOthersInJail(t *testing.T) {
	share := bsdCell(t, "share \"src\" { path = \"/usr/src\" }")
	plain := bsdCell(t, "")
	keepers := kinfo.Proc{PID: 800, Parent: testKeeper, Comm: "skep"}
	helper := kinfo.Proc{PID: 801, Parent: 1, Comm: "bhyve"}
	second := kinfo.Proc{PID: 802, Parent: testPID, Comm: "bhyve"}
	third := kinfo.Proc{PID: 804, Parent: 1, Comm: "bhyve"}
	foreign := kinfo.Proc{PID: 805, Parent: 1234, Comm: "bhyve"}
	loose := kinfo.Proc{PID: 803, Parent: testPID, Comm: "sh"}
	for _, tt := range []struct {
		name   string
		shares bool
		inside []kinfo.Proc
		want   Verdict
	}{
		{"the keeper's", false, []kinfo.Proc{keepers}, Seen},
		{"helpers", true, []kinfo.Proc{helper, second}, Seen},
		{"helpers of a cell without a share", false, []kinfo.Proc{helper}, Extra},
		{"a child that is free", true, []kinfo.Proc{helper, loose}, Extra},
		{"one that somebody else started", true, []kinfo.Proc{foreign}, Extra},
		{"one helper too many", true, []kinfo.Proc{helper, second, third}, Extra},
	} {
		st := plain
		if tt.shares {
			st = share
		}
		w, err := wantOf(st, same)
		if err != nil {
			t.Fatal(err)
		}
		a := &bsdAudit{bsdSeen: &bsdSeen{Proc: kinfo.Proc{PID: testPID, JID: testJID, Comm: "bhyve"}, Inside: tt.inside}, want: w}
		a.othersInJail()
		if got := a.judge.rows[0]; got.Verdict != tt.want {
			t.Errorf("%s: %s, %s", tt.name, got.Verdict, got.Seen)
		}
	}
}

// Each kind of descriptor is known by what it refers to, and by nothing less.
func TestBSDKinds(t *testing.T) {
	st := bsdCell(t, `disk "a" { file = "/vm/a.img" }
 disk "b" { zvol = "tank/b" }
 nic "lan" { bridge = "bridge0" }
 share "src" { path = "/usr/src" }
 screen {}
 gdb { listen = "127.0.0.1:1234" }`)
	w, err := wantOf(st, same)
	if err != nil {
		t.Fatal(err)
	}
	tap := plan.Specs[*plan.Tap](st.Plan)[0].Name
	devices := []string{"null", "vmm/web", "nmdm-webA", tap, "zvol/tank/b", "vmm/other", "nmdm-webB", "mem", "zvol/tank/c", "random", "pci"}
	kinds := []string{"null", "vm", "console", "tap", "disk", "", "", "", "", "", ""}
	a := &bsdAudit{bsdSeen: &bsdSeen{Devices: map[int]string{}}, want: w}
	for i, d := range devices {
		a.Devices[i] = d
		want := kinds[i]
		if d == "random" && plannedNodes(w.dev)["random"] {
			want = "random"
		}
		if got := a.kindOf(kinfo.File{FD: i, Type: kinfo.TypeVnode, Vnode: kinfo.Character}); got != want {
			t.Errorf("/dev/%s is %q, want %q", d, got, want)
		}
	}
	regular := func(p string) kinfo.File {
		return kinfo.File{FD: 99, Type: kinfo.TypeVnode, Vnode: kinfo.Regular, Path: p}
	}
	directory := func(p string) kinfo.File {
		return kinfo.File{FD: 99, Type: kinfo.TypeVnode, Vnode: kinfo.Directory, Path: p}
	}
	socket := func(local string) kinfo.File {
		return kinfo.File{FD: 99, Type: kinfo.TypeSocket, Domain: kinfo.AFInet, Local: local}
	}
	for _, tt := range []struct {
		file kinfo.File
		want string
	}{
		{regular(w.inRootfs("/disk/a")), "disk"}, {regular("/vm/a.img"), "lock"}, {regular("/vm/b.img"), ""}, {regular(""), ""},
		{directory(w.inRootfs("/share/src")), "share"}, {directory(w.inRootfs("/usr/share/bhyve/gdb")), "debugger's files"}, {directory("/usr/src"), ""}, {directory("/"), ""},
		{socket("127.0.0.1:5900"), "screen"}, {socket("127.0.0.1:1234"), "debugger"}, {socket("127.0.0.1:22"), ""},
		{kinfo.File{Type: kinfo.TypeSocket, Domain: kinfo.AFUnix}, "helper"}, {kinfo.File{Type: kinfo.TypeSocket, Domain: kinfo.AFInet}, ""},
		{kinfo.File{Type: kinfo.TypeKqueue}, "events"}, {kinfo.File{Type: kinfo.TypePipe}, "pipe"}, {kinfo.File{Type: kinfo.TypeUnknown}, "reserved"},
		{kinfo.File{Type: kinfo.TypeUnknown, Flags: kinfo.FlagRead}, ""}, {kinfo.File{Type: kinfo.TypeShm}, ""}, {kinfo.File{Type: kinfo.TypePTS}, ""},
	} {
		if got := a.kindOf(tt.file); got != tt.want {
			t.Errorf("%+v is %q, want %q", tt.file, got, tt.want)
		}
	}
}

// Every kind has its rights by names that there are, and none has more than it.
func TestBSDRights(t *testing.T) {
	all, err := kinfo.NamedRights("kqueue_event")
	if err != nil || all.None() {
		t.Fatal(err)
	}
	for _, k := range handleKinds {
		most, err := kinfo.NamedRights(k.rights)
		if err != nil || k.why == "" {
			t.Errorf("%s: %v", k.kind, err)
		}
		if !beyond(k.kind, most).None() || beyond(k.kind, kinfo.AllRights).None() {
			t.Errorf("%s: its own rights are too many, or all are not", k.kind)
		}
	}
	if beyond("no such kind", kinfo.AllRights).None() || !beyond("null", kinfo.AllRights).None() {
		t.Error("what is on no list may do everything, or /dev/null nothing")
	}
}

// handMade is the jail of the article of 2018 on a FreeBSD 14.2: bhyve is root
// in it, the whole base system is accessible, and its rule set hides nothing,
// because the include that it begins with leads to sets that are not followed.
func handMade() *bsdSeen {
	nodes := []devfs.Node{{Path: "mem", Type: devfs.Mem}, {Path: "kmem", Type: devfs.Mem}, {Path: "io"}, {Path: "pci"}, {Path: "vtbd0", Type: devfs.Disk},
		{Path: "null"}, {Path: "vmm", Kind: devfs.Directory}, {Path: "vmm/bhyve-01"}, {Path: "vmm/other"}, {Path: "tap0"}, {Path: "nmdm0A"}}
	sets := devfs.Rulesets{
		1:  {Number: 1, Rules: []devfs.Rule{{Number: 100, Hide: true}}},
		4:  {Number: 4, Rules: []devfs.Rule{{Number: 100, Include: 1}}},
		25: {Number: 25, Rules: []devfs.Rule{{Number: 100, Include: 4}, {Number: 200, HasPath: true, Path: "vmm/*", Unhide: true}, {Number: 300, HasPath: true, Path: "tap*", Unhide: true}}},
	}
	report, _ := devfs.Check(sets, 25, devfs.DefaultDepth, nodes, "vmm/bhyve-01", "tap0")
	full := kinfo.AllRights
	root := "/usr/jails/bhyve-01"
	dir := func(fd int) kinfo.File {
		return kinfo.File{FD: fd, Type: kinfo.TypeVnode, Vnode: kinfo.Directory, Path: root}
	}
	return &bsdSeen{
		Proc:     kinfo.Proc{PID: 900, Comm: "bhyve", Groups: []int{0, 5}, JID: 7, Capability: true},
		Controls: kinfo.Controls{ASLR: num(-0x7ffffffd), WXMap: num(0), NoNewPrivs: num(2), Trace: num(0)},
		Params: map[string]string{"name": "bhyve-01", "path": root, "children.cur": "0", "children.max": "0", "dying": "false", "securelevel": "-1",
			"enforce_statfs": "2", "ip4": "disable", "ip6": "disable", "vnet": "inherit", "allow.vmm": "true", "allow.suser": "true",
			"allow.reserved_ports": "true", "allow.set_hostname": "true", "allow.unprivileged_proc_debug": "true"},
		Inside: []kinfo.Proc{{PID: 890, Comm: "sh"}},
		Files: []kinfo.File{dir(kinfo.CWD), dir(kinfo.Root), dir(kinfo.Jail), {FD: 0, Type: kinfo.TypeVnode, Vnode: kinfo.Character, Rights: full},
			{FD: 3, Type: kinfo.TypeVnode, Vnode: kinfo.Character}, {FD: 5, Type: kinfo.TypeVnode, Vnode: kinfo.Character}},
		FilesRead: true, Devices: map[int]string{0: "null", 3: "vmm/bhyve-01", 5: "tap0"},
		Env: []string{"PATH", "HOME"}, EnvRead: true, Limits: map[string][2]uint64{"core": {infinity, infinity}}, RulesRead: true, Counted: true,
		Areas: []kinfo.Area{{From: 4096, To: 8192, Type: kinfo.AreaGuard}, {From: 8192, To: 1 << 26, Type: kinfo.AreaSwap, Mode: 3, NoDump: true}, {From: 1 << 26, To: 1<<26 + 4096, Type: kinfo.AreaGuard}},
		Rootfs: bsdRootfs{Root: root, MountRead: true, Mounts: []bsdMount{{On: root + "/dev", Kind: "devfs"}}, Files: []string{"/bin/sh", "/bin/ls"}, FilesRead: true,
			Dev: true, Nodes: nodes, NodesRead: true, Ruleset: 25, Report: &report},
	}
}

// The same table judges a hypervisor in a jail that skep did not make.
func TestBSDHandMade(t *testing.T) {
	r := judgeAnyFreeBSD(handMade())
	for id, want := range map[string]Verdict{
		"jailed": Seen, "capsicum": Seen, "guard-pages": Seen, "strict-wx": Missing, "no-new-privs": Missing, "no-trace": Missing, "groups": Extra,
		"company": Extra, "jail-securelevel": Missing, "jail-allow.set_hostname": Extra, "jail-allow.suser": Extra, "jail-allow.vmm": Seen, "jail-ip4": Seen,
		"mounts": Missing, "files": Extra, "nodes": Extra, "dangerous-nodes": Extra, "ruleset": Missing, "environ": Extra, "rlimit-core": Missing, "rctl": Missing,
	} {
		if got := verdictOf(r, id); got != want {
			t.Errorf("%s is %q, want %q", id, got, want)
		}
	}
	for _, row := range r.Rows {
		switch row.ID {
		case "dangerous-nodes":
			for _, n := range []string{"mem ", "kmem ", "io ", "pci ", "vtbd0 ", "vmm/other "} {
				if !strings.Contains(row.Seen, n) {
					t.Errorf("%q does not name %s", row.Seen, n)
				}
			}
			if strings.Contains(row.Seen, "bhyve-01") || strings.Contains(row.Seen, "tap0") {
				t.Errorf("%q names what is its own", row.Seen)
			}
		case "ruleset":
			if !strings.Contains(row.Seen, "vfs.devfs.rule_depth is 1") {
				t.Errorf("%q does not say why", row.Seen)
			}
		}
	}
	bare := handMade()
	bare.Proc.JID, bare.Params, bare.Rootfs = 0, nil, bsdRootfs{}
	r = judgeAnyFreeBSD(bare)
	for _, id := range []string{"jailed", "company", "jail-parameters", "root", "mounts", "files", "nodes", "rctl"} {
		if got := verdictOf(r, id); got != Missing {
			t.Errorf("outside of any jail %s is %q", id, got)
		}
	}
}

// An observation survives being written to a file: what real hosts showed is
// kept that way.
func TestBSDRecorded(t *testing.T) {
	b, err := json.Marshal(handMade())
	if err != nil {
		t.Fatal(err)
	}
	var back bsdSeen
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	a, c := judgeAnyFreeBSD(handMade()), judgeAnyFreeBSD(&back)
	if !slices.Equal(a.Rows, c.Rows) {
		t.Error("it is judged otherwise once it was written down")
	}
}

// recorded is a cell and what it showed on a real host (record_freebsd_test.go).
type recorded struct {
	State store.State `json:"state"`
	Seen  *bsdSeen    `json:"seen"`
}

// What real cells showed passes, and what is changed of it does not.
func TestBSDRealHosts(t *testing.T) {
	files, err := filepath.Glob("testdata/freebsd/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing is recorded: %v", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var r recorded
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if r.State.Jail == nil || r.State.Jail.Limits == nil {
			// From before the keeper wrote them down, which the audit does not pass over.
			if v := verdictOf(mustJudge(t, r.Seen, r.State), "rlimits"); v != Unknown {
				t.Errorf("%s: limits that nobody recorded are %s", f, v)
			}
			r.State.Jail = &jail.Record{Limits: r.Seen.Limits}
		}
		if r.Seen.Links == nil { // from before they were looked at
			r.Seen.Links = map[string]network.Link{}
			for _, t := range plan.Specs[*plan.Tap](r.State.Plan) {
				r.Seen.Links[t.Name] = network.Link{Name: t.Name, Kind: "tap", Master: t.Bridge, Tag: t.Tag, Up: true}
			}
		}
		rep := mustJudge(t, r.Seen, r.State)
		for _, row := range rep.Bad() {
			t.Errorf("%s: %s is %s: %s (wanted: %s)", f, row.ID, row.Verdict, row.Seen, row.Want)
		}
		ids := []string{"capsicum", "jail-allow.raw_sockets", "nodes", "dangerous-nodes"}
		for name, l := range r.Seen.Links {
			l.Master = "bridge78"
			r.Seen.Links[name] = l
			ids = append(ids, "nic-lan-master")
		}
		r.Seen.Proc.Capability = false
		r.Seen.Params["allow.raw_sockets"] = "true"
		r.Seen.Rootfs.Nodes = append(r.Seen.Rootfs.Nodes, devfs.Node{Path: "mem"})
		rep = mustJudge(t, r.Seen, r.State)
		for _, id := range ids {
			if !verdictOf(rep, id).Bad() {
				t.Errorf("%s: %s is %s", f, id, verdictOf(rep, id))
			}
		}
	}
}

// The note by which a program opts out of FreeBSD's protections is read where
// it is, and nothing is read past its end.
func TestControlNote(t *testing.T) {
	note := func(bits byte) []byte {
		return []byte{8, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 'F', 'r', 'e', 'e', 'B', 'S', 'D', 0, bits, 0, 0, 0}
	}
	abi := []byte{8, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 'F', 'r', 'e', 'e', 'B', 'S', 'D', 0, 0x30, 0x5c, 0x15, 0}
	for _, tt := range []struct {
		raw  []byte
		want string
	}{
		{append(slices.Clone(abi), note(0)...), "opts out of nothing"},
		{append(slices.Clone(abi), note(9)...), "opts out: no ASLR, needs memory that is writable and executable"},
		{abi, "no mark of elfctl(1)"},
		{note(1)[:23], "no mark of elfctl(1)"},
		{nil, "no mark of elfctl(1)"},
	} {
		p := Program{Controlled: No}
		if bits, ok := controlIn(tt.raw, binary.LittleEndian); ok {
			p.Control, p.Controlled = bits, Yes
		}
		if got := p.optOuts(); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.raw, got, tt.want)
		}
	}
	if (Program{}).optOuts() != "" {
		t.Error("what was not looked for is told")
	}
}

// A report with what the cell file asks for names file and line.
func TestBSDRelaxations(t *testing.T) {
	st := bsdCell(t, "share \"src\" { path = \"/usr/src\" }")
	r := mustJudge(t, cleanSeen(t, st), st)
	var b bytes.Buffer
	if err := r.WriteText(&b, false, same); err != nil {
		t.Fatal(err)
	}
	if len(r.Relaxations) != 1 || !strings.Contains(b.String(), "web.hcl:2  share.src") {
		t.Errorf("%+v\n%s", r.Relaxations, b.String())
	}
}

// Rules that nobody could read are unknown, and the row says why.
func TestBSDRulesUnread(t *testing.T) {
	st := bsdCell(t, "")
	s := cleanSeen(t, st)
	s.Rootfs.Report, s.Rootfs.Rules, s.Rootfs.Unread = nil, nil, "read "+devfs.DepthSetting+": no such file or directory"
	for _, r := range []Report{mustJudge(t, s, st), judgeAnyFreeBSD(s)} {
		i := slices.IndexFunc(r.Rows, func(row Row) bool { return row.ID == "ruleset" })
		if i < 0 || r.Rows[i].Verdict != Unknown || r.Rows[i].Seen != s.Rootfs.Unread {
			t.Errorf("%+v", r.Rows)
		}
	}
}
