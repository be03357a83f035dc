package devfs

import (
	"reflect"
	"strings"
	"testing"
)

// names lists what a set shows.
func names(t *testing.T, sets Rulesets, number, depth int, nodes []Node) []string {
	t.Helper()
	visible, err := sets.Evaluate(number, depth, nodes)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, v := range visible {
		paths = append(paths, v.Path)
	}
	return paths
}

// The rule set that was published for jailing bhyve includes the set for jails,
// which includes the set that hides everything. The kernel's depth is 1, so
// nothing is hidden: seen on FreeBSD 14.2, where dd inside read the host's disk.
func TestHandMadeRulesShowTheHost(t *testing.T) {
	sets := load(t, "../stock.rules", "bhyve.rules").Sets
	all := names(t, sets, 0, DefaultDepth, TypicalNodes())
	got := names(t, sets, 25, DefaultDepth, TypicalNodes())
	if !reflect.DeepEqual(got, all) {
		t.Errorf("depth 1 hides %v", without(all, got))
	}
	for _, bad := range []string{"mem", "kmem", "io", "pci", "klog", "vtbd0"} {
		if len(without([]string{bad}, got)) > 0 {
			t.Errorf("depth 1 hides %s", bad)
		}
	}

	// With depth 2 the same rules do what they were written for.
	want := strings.Fields(`fd fd/0 fd/1 fd/2 fuse nmdm-web-A nmdm-web-B null ptmx pts pts/0 random stderr stdin stdout
		tap0 tap1 urandom vmm vmm.io vmm.io/web.bootrom vmm/web zero zfs
		zvol zvol/tank zvol/tank/bhyve zvol/tank/bhyve/web zvol/tank/bhyve/web/disk-01`)
	if got := names(t, sets, 25, 2, TypicalNodes()); !reflect.DeepEqual(got, want) {
		t.Errorf("depth 2 shows %v\nwant %v", got, want)
	}
	// The set for jails itself is reached at depth 1.
	if got := names(t, sets, 4, 1, TypicalNodes()); len(without([]string{"vtbd0"}, got)) == 0 {
		t.Error("set 4 shows vtbd0")
	}
	// And depth 0 follows nothing at all.
	if got := names(t, sets, 4, 0, TypicalNodes()); !reflect.DeepEqual(got, all) {
		t.Errorf("depth 0 hides %v", without(all, got))
	}
}

func TestEvaluate(t *testing.T) {
	nodes := []Node{
		{Path: "mem", Type: Mem}, {Path: "null"}, {Path: "da0", Type: Disk}, {Path: "zvol/tank/a", Type: Disk},
		{Path: "zvol/tank/b", Type: Disk}, {Path: "log", Kind: Symlink}, {Path: "ugen0.1", Kind: Symlink}, {Path: "usb/0.1.0"},
	}
	for _, tc := range []struct{ name, rules, want string }{
		{"no rules", "", "da0 log mem null ugen0.1 usb usb/0.1.0 zvol zvol/tank zvol/tank/a zvol/tank/b"},
		{"hide all", "hide", ""},
		{"hidden, then shown", "hide\npath null unhide", "null"},
		{"shown, then hidden", "path null unhide\nhide", ""},
		{"both in one rule", "hide unhide", "da0 log mem null ugen0.1 usb usb/0.1.0 zvol zvol/tank zvol/tank/a zvol/tank/b"},
		{"a child without its directory", "hide\npath zvol/tank/a unhide", ""},
		{"a child without the upper directory", "hide\npath zvol/tank unhide\npath zvol/tank/a unhide", ""},
		{"a child with all", "hide\npath zvol unhide\npath zvol/tank unhide\npath zvol/tank/a unhide", "zvol zvol/tank zvol/tank/a"},
		{"a directory alone", "hide\npath zvol unhide", "zvol"},
		{"a hidden directory takes all with it", "path zvol hide", "da0 log mem null ugen0.1 usb usb/0.1.0"},
		{"a type is never a directory's or a link's", "hide\ntype disk unhide", "da0"},
		{"a type of several", "type disk type mem hide", "log null ugen0.1 usb usb/0.1.0 zvol zvol/tank"},
		{"type and path", "type disk path da* hide", "log mem null ugen0.1 usb usb/0.1.0 zvol zvol/tank zvol/tank/a zvol/tank/b"},
		{"a star stops at a slash", "path z* hide\npath zvol unhide\npath * hide\npath zvol unhide\npath zvol/tank unhide", "zvol zvol/tank zvol/tank/a zvol/tank/b"},
		{"a link by its name", "hide\npath log unhide", "log"},
		{"an empty pattern matches nothing", "path  hide", "da0 log mem null ugen0.1 usb usb/0.1.0 zvol zvol/tank zvol/tank/a zvol/tank/b"},
	} {
		set := &Ruleset{Number: 9}
		for line := range strings.SplitSeq(tc.rules, "\n") {
			if line == "" {
				continue
			}
			r, err := ParseRule(strings.Split(line, " "))
			if err != nil {
				t.Fatal(err)
			}
			set.insert(r)
		}
		got := strings.Join(names(t, Rulesets{9: set}, 9, 1, nodes), " ")
		if got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, got, tc.want)
		}
	}
}

func TestEvaluateOwners(t *testing.T) {
	sets := Rulesets{
		1: {Number: 1, Rules: []Rule{{Number: 100, HasPath: true, Path: "tap*", Include: 2}}},
		2: {Number: 2, Rules: []Rule{{Number: 100, User: "1001", HasMode: true, Mode: 0o600}}},
	}
	visible, err := sets.Evaluate(1, 1, []Node{{Path: "null"}, {Path: "tap0"}})
	if err != nil {
		t.Fatal(err)
	}
	// The condition of an include holds for everything that is included.
	if v := visible[0]; v.User != "" || v.HasMode {
		t.Errorf("null: %+v", v)
	}
	if v := visible[1]; v.User != "1001" || v.Mode != 0o600 {
		t.Errorf("tap0: %+v", v)
	}
}

func TestEvaluateLoopEnds(t *testing.T) {
	loop := Rulesets{1: {Number: 1, Rules: []Rule{{Number: 100, Include: 1}, {Number: 200, Include: 1}}}}
	if _, err := loop.Evaluate(1, 1000, TypicalNodes()); err == nil {
		t.Error("a set that includes itself 2^1000 times was evaluated")
	}
	if _, err := loop.Evaluate(1, 3, TypicalNodes()); err != nil {
		t.Error(err)
	}
}

// The kernel knows the variable by this name only.
func TestDepthSetting(t *testing.T) {
	if DepthSetting != "vfs.devfs.rule_depth" {
		t.Errorf("includes are bounded by %s", DepthSetting)
	}
}
