package e2e

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// devfsChecks is what devfs-check says to a program, as far as these tests
// look.
type devfsChecks struct{ Checks []devfsChecked }

type devfsChecked struct {
	Jail struct {
		Name    string
		Ruleset int
	}
	Report struct {
		Dangerous, Visible []struct{ Path string }
		Unfollowed         []struct{ Include int }
		Differs            struct{ Extra, Missing []string }
	}
}

func (l *lab) devfsCheck(code int, args ...string) devfsChecks {
	l.t.Helper()
	r := l.skep(append([]string{"devfs-check", "--json"}, args...)...)
	var v devfsChecks
	if err := json.Unmarshal([]byte(r.out), &v); err != nil || r.code != code {
		l.t.Fatalf("%v: want %d: %s", args, code, r)
	}
	return v
}

func paths(nodes []struct{ Path string }) (all []string) {
	for _, n := range nodes {
		all = append(all, n.Path)
	}
	return all
}

// TestDevfsCheckOnAHost: the jail of 2018 on a live system. Its rules begin
// with an include of a set that includes others, which the kernel does not
// follow, and what devfs-check says of it is what is in its /dev.
func TestDevfsCheckOnAHost(t *testing.T) {
	needs(t)
	if strings.TrimSpace(must(t, "sysctl", "-n", "vfs.devfs.rule_depth")) != "1" {
		t.Skip("vfs.devfs.rule_depth is not 1 here: the include is followed")
	}
	const set = 64211
	number := strconv.Itoa(set)
	if strings.Contains("\n"+must(t, "devfs", "rule", "showsets"), "\n"+number+"\n") {
		t.Skipf("rule set %d is in use", set)
	}
	l := newLab(t)
	name := "skep-test-" + filepath.Base(l.dir)
	dev := filepath.Join(l.write("jail/dev/.keep", ""), "..")
	dev = filepath.Clean(dev)
	t.Cleanup(func() {
		host(t, nil, "jail", "-r", name)
		unmount(t, dev)
		must(t, "devfs", "rule", "-s", number, "delset")
	})
	must(t, "devfs", "rule", "-s", number, "add", "100", "include", "4")
	must(t, "devfs", "rule", "-s", number, "add", "200", "path", "tap*", "unhide")
	must(t, "jail", "-c", "name="+name, "path="+filepath.Dir(dev), "persist", "mount.devfs", "devfs_ruleset="+number)

	v := l.devfsCheck(5, name).Checks[0]
	if v.Jail.Name != name || v.Jail.Ruleset != set || len(v.Report.Unfollowed) < 3 {
		t.Errorf("%+v", v)
	}
	bad := paths(v.Report.Dangerous)
	for _, want := range []string{"mem", "kmem", "io"} {
		if !slices.Contains(bad, want) {
			t.Errorf("%s is not among the dangers: %v", want, bad)
		}
	}
	if len(v.Report.Differs.Extra) > 0 {
		t.Errorf("the kernel shows more than was foreseen: %v", v.Report.Differs.Extra)
	}
	// It is the list of the jail itself, and nothing that was worked out.
	listed := strings.Fields(must(t, "find", dev, "-mindepth", "1"))
	for i := range listed {
		listed[i] = strings.TrimPrefix(listed[i], dev+"/")
	}
	slices.Sort(listed)
	seen := paths(v.Report.Visible)
	slices.Sort(seen)
	if !slices.Equal(listed, seen) {
		t.Errorf("the jail's /dev has %v\nreported are %v", listed, seen)
	}

	// What was applied to this mount alone counts, whatever the rules say.
	must(t, "devfs", "-m", dev, "rule", "apply", "hide")
	if v := l.devfsCheck(0, name).Checks[0]; len(v.Report.Visible) != 0 || len(v.Report.Differs.Missing) == 0 {
		t.Errorf("an emptied /dev: %+v", v)
	}
	must(t, "devfs", "-m", dev, "rule", "apply", "path", "mem", "unhide")
	if v := l.devfsCheck(5, name).Checks[0]; !slices.Equal(paths(v.Report.Dangerous), []string{"mem"}) {
		t.Errorf("the host's memory: %+v", v)
	}
	if v := l.devfsCheck(0, "--own", "mem", name); len(v.Checks[0].Report.Visible) != 1 {
		t.Errorf("%+v", v)
	}

	// The set without the jail, and every jail that runs.
	if v := l.devfsCheck(5, number).Checks[0]; len(v.Report.Unfollowed) < 3 {
		t.Errorf("%+v", v)
	}
	all := l.devfsCheck(5)
	if !slices.ContainsFunc(all.Checks, func(c devfsChecked) bool {
		return c.Jail.Name == name
	}) {
		t.Errorf("it is not among every jail: %+v", all)
	}
	if r := l.skep("devfs-check", "nobody-here"); r.code != 2 || !strings.Contains(r.err, number) {
		t.Error(r)
	}
}
