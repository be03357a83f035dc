package cli

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/devfs"
	"skep/internal/fault"
	"skep/internal/jailparam"
)

// The rules of 2018: an include of a set that itself includes others, which
// the kernel does not follow.
const articleRules = `[devfsrules_jail_bhyve=25]
add include $devfsrules_jail
add path vmm unhide
add path 'vmm/*' unhide
add path 'tap*' unhide
`

func TestDevfsCheckFiles(t *testing.T) {
	f := write(t, filepath.Join(t.TempDir(), "devfs.rules"), articleRules)
	check := func(args ...string) said {
		t.Helper()
		return skep(t, append([]string{"devfs-check", "--rules", f, "--nodes", "typical"}, args...)...)
	}
	s := check("--depth", "1", "--ruleset", "25").want(t, fault.Jail)
	for _, want := range []string{
		"rule set 25 (devfsrules_jail_bhyve), include depth 1: ", `does not follow "include 1"`,
		"danger: kmem ", "danger: vtbd0 ", `unhides "tap*", every node of that name`,
	} {
		if !strings.Contains(s.out, want) {
			t.Errorf("no %q:\n%s", want, s.out)
		}
	}
	if strings.Index(s.out, "danger: mem") > strings.Index(s.out, "shown:") {
		t.Error("a harmless node comes first")
	}
	// Deeper, the same rules hide the host; by name, and with what is the
	// jail's own, nothing is wrong.
	s = check("--depth", "2", "devfsrules_jail_bhyve", "--own", "zfs", "--own", "fuse", "--own", "/dev/vmm/web", "--own", "tap0", "--own", "tap1").want(t, fault.OK)
	if strings.Contains(s.out, "danger:") || !strings.Contains(s.out, "shown:  vmm/web ") {
		t.Error(s.out)
	}

	var v struct {
		Version int
		Checks  []struct {
			Jail   any
			Report devfs.Report
		}
		Problems []devfs.Problem
	}
	s = check("--depth", "1", "--json", "25").want(t, fault.Jail)
	if err := json.Unmarshal([]byte(s.out), &v); err != nil {
		t.Fatal(err)
	}
	if v.Version != 1 || len(v.Checks) != 1 || v.Checks[0].Report.Number != 25 || len(v.Checks[0].Report.Unfollowed) != 3 || v.Problems == nil {
		t.Errorf("%+v", v)
	}

	if !strings.Contains(s.out, `"kind": "directory"`) {
		t.Errorf("kinds are numbers:\n%s", s.out)
	}

	// A set that is not there hides nothing, and that is what the kernel does.
	if s := check("99").want(t, fault.Jail); !strings.Contains(s.out, "the set has no rules, so it hides nothing") {
		t.Error(s.out)
	}
	bad := write(t, filepath.Join(t.TempDir(), "bad.rules"), "[a=26]\nadd path x unhide\nadd nonsense\n[b=27]\nadd hide\n")
	skep(t, "devfs-check", "--nodes", "typical", "--rules", bad, "26").want(t, fault.Jail, "bad.rules:3: ", "never loads [b=27]")
}

func TestDevfsCheckNodes(t *testing.T) {
	f := write(t, filepath.Join(t.TempDir(), "devfs.rules"), articleRules)
	list := write(t, filepath.Join(t.TempDir(), "list"), "/dev\n/dev/null\n./vmm\nvmm/web\n\nnull\n")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "null"), "")
	write(t, filepath.Join(dir, "vmm/web"), "")
	for _, nodes := range []string{list, dir} {
		s := skep(t, "devfs-check", "--rules", f, "--nodes", nodes, "--depth", "2", "25").want(t, fault.Jail)
		if !strings.Contains(s.out, "3 nodes visible, 1 dangerous, 0 hidden") {
			t.Errorf("%s: %s", nodes, s.out)
		}
	}
	ls := write(t, filepath.Join(t.TempDir(), "ls"), "crw------- 1 root wheel 0x1 null\n")
	skep(t, "devfs-check", "--rules", f, "--nodes", ls, "25").want(t, fault.Input, "ls:1: ", "find /dev prints such a list")
}

func TestDevfsCheckCommandLine(t *testing.T) {
	f := write(t, filepath.Join(t.TempDir(), "devfs.rules"), articleRules)
	for _, tc := range []struct{ line, want string }{
		{"--rules " + f, "needs --ruleset"},
		{"--rules " + f + " --ruleset nobody", "25 (devfsrules_jail_bhyve)"},
		{"--rules /no/such/file 25", "cannot read /no/such/file: no such file"},
		{"--rules / 25", "it is not a regular file"},
		{"--rules " + f + " --nodes /no/such 25", "read the nodes of a /dev"},
		{"--rules " + f + " --depth -1 25", "take --depth -1"},
		{"--depth 2 25", "only valid together with --rules"},
		{"a b", "at most one jail, got 2"},
	} {
		skep(t, append([]string{"devfs-check"}, strings.Fields(tc.line)...)...).want(t, fault.Input, tc.want)
	}
}

// A running host, made up.
func TestDevfsCheckHost(t *testing.T) {
	var l devfs.Loader
	l.Load(devfs.StockName, devfs.Stock)
	l.Load("devfs.rules", articleRules)
	kernel := devfs.Rulesets{}
	for n, s := range l.Sets {
		kernel[n] = &devfs.Ruleset{Number: n, Rules: s.Rules}
	}
	mounts := map[string][]devfs.Node{
		"/j/web/dev":  {{Path: "null"}, {Path: "mem"}},
		"/j/safe/dev": {{Path: "null"}},
	}
	h := devfsHost{sets: kernel, names: l.Sets, depth: 2,
		nodes: []devfs.Node{{Path: "null"}, {Path: "mem"}, {Path: "tap7"}},
		jails: []jailparam.Running{{JID: 1, Name: "web", Path: "/j/web", Ruleset: 25}, {JID: 2, Name: "safe", Path: "/j/safe"}, {JID: 3, Name: "bare", Path: "/j/bare", Ruleset: 4}},
		list: func(dir string) ([]devfs.Node, bool, error) {
			n, ok := mounts[dir]
			return n, ok, nil
		}}
	check := func(what string) []devfsReport {
		t.Helper()
		r, err := h.check(what, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	all := check("")
	if len(all) != 3 {
		t.Fatalf("%+v", all)
	}
	// What is listed counts: the rules hide mem and show tap7.
	if r := all[0].Report; len(r.Dangerous) != 1 || r.Dangerous[0].Path != "mem" || len(r.Differs.Missing) != 1 || r.Name != "devfsrules_jail_bhyve" {
		t.Errorf("%+v", r)
	}
	if r := all[1]; len(r.Report.Dangerous) != 0 || r.Report.Number != 4 || !strings.Contains(r.Note, "names no rule set") {
		t.Errorf("%+v", r)
	}
	if r := all[2]; len(r.Report.Visible) != 0 || !strings.Contains(r.Note, "no devfs is mounted on /j/bare/dev") {
		t.Errorf("%+v", r)
	}
	if r := check("web"); len(r) != 1 || r[0].Jail.JID != 1 {
		t.Errorf("%+v", r)
	}
	if r := check("25"); r[0].Jail != nil || len(r[0].Report.Dangerous) != 1 || r[0].Report.Dangerous[0].Path != "tap7" {
		t.Errorf("%+v", r)
	}
	if r := check("devfsrules_jail"); r[0].Report.Number != 4 || r[0].Report.Differs != nil {
		t.Errorf("%+v", r)
	}
	if _, err := h.check("nobody", nil); err == nil || fault.CodeOf(err) != fault.Input || !strings.Contains(fault.HintOf(err), "web, safe") {
		t.Errorf("%v", err)
	}
	for _, n := range []string{"0", "65536", "-1"} {
		if _, err := h.check(n, nil); err == nil {
			t.Errorf("%s is a rule set", n)
		}
	}
}
