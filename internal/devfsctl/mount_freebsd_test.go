package devfsctl

import (
	"os"
	"path"
	"reflect"
	"slices"
	"testing"

	"skep/internal/devfs"
)

// TestKernel hands rules to the kernel and reads them back. The set is of no
// mount, so nobody's /dev changes.
func TestKernel(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("devfs rules are root's")
	}
	m, err := Open("/dev")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() }) // after the set is deleted
	set := 64123
	before, err := m.Sets()
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(before, set) {
		t.Skipf("rule set %d is in use", set)
	}
	rules, err := devfs.CellRules(helloGrants)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.DeleteSet(set); err != nil {
			t.Error(err)
		}
		if after, err := m.Sets(); err != nil || !reflect.DeepEqual(after, before) {
			t.Errorf("sets before %v, after %v, %v", before, after, err)
		}
	})
	for _, r := range rules {
		if err := m.Add(set, r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := m.Rules(set)
	if err != nil || !reflect.DeepEqual(got, rules) {
		t.Errorf("read back %v, %v\nwant %v", got, err, rules)
	}
	if err := m.Add(set, rules[0]); err == nil {
		t.Error("a rule number was taken twice")
	}
	if err := m.Add(set, devfs.Rule{Include: 64999}); err == nil {
		t.Error("a set that does not exist was included")
	}
	if depth, err := Depth(); err != nil || depth < 0 {
		t.Errorf("depth %d, %v", depth, err)
	}
	if _, err := Open("/etc"); err == nil {
		t.Error("/etc passed for a devfs mount")
	}
}

// TestListMakesNothing: the names of null modems that are not there stay so.
func TestListMakesNothing(t *testing.T) {
	before, err := devfs.List("/dev")
	if err != nil {
		t.Fatal(err)
	}
	after, err := devfs.List("/dev")
	if err != nil {
		t.Fatal(err)
	}
	nmdm := func(nodes []devfs.Node) (names []string) {
		for _, n := range nodes {
			if ok, _ := path.Match("nmdm*", n.Path); ok {
				names = append(names, n.Path)
			}
		}
		return names
	}
	if !reflect.DeepEqual(nmdm(before), nmdm(after)) {
		t.Errorf("listing made %v of %v", nmdm(after), nmdm(before))
	}
}

var helloGrants = []devfs.Grant{
	{Path: "vmm/hello", Owned: true, UID: 1001},
	{Path: "vmm.io/hello.bootrom", Owned: true, UID: 1001},
	{Path: "nmdm-helloA"},
	{Path: "zvol/tank/a/b"},
	{Path: "zvol/tank/a/c"},
}
