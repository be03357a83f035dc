package linuxjail

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// group makes a cgroup of the test's own under the first of roots that is there.
func group(t *testing.T, roots ...string) string {
	t.Helper()
	for _, root := range roots {
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil {
			continue
		}
		dir, err := os.MkdirTemp(root, "skep-jail-test")
		if err != nil {
			t.Skipf("no cgroup can be made: %v", err)
		}
		t.Cleanup(func() {
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		})
		return dir
	}
	t.Skip("no such cgroup tree here")
	return ""
}

// The process is in its groups before its first instruction, on v2 by the clone itself, and sees
// them as the root of the tree.
func TestCgroups(t *testing.T) {
	needRoot(t)
	t.Run("v2", func(t *testing.T) {
		dir := group(t, "/sys/fs/cgroup", "/sys/fs/cgroup/unified")
		f, err := os.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		inGroup(t, dir, Cgroups{V2: f})
	})
	t.Run("v1", func(t *testing.T) {
		dir := group(t, "/sys/fs/cgroup/pids")
		inGroup(t, dir, Cgroups{V1Procs: []string{filepath.Join(dir, "cgroup.procs")}})
	})
}

func inGroup(t *testing.T, dir string, c Cgroups) {
	t.Helper()
	spec, talk := prisonSpec(t, testIdentity)
	spec.Cgroups = c
	p := start(t, spec)
	ask(t, talk, "look")
	procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil || strings.TrimSpace(string(procs)) != itoa(p.Pid()) {
		t.Errorf("in the group: %q, %v; want %d", procs, err, p.Pid())
	}
	name := filepath.Base(dir)
	if groups := proc(t, p.Pid(), "cgroup"); !strings.Contains(groups, name) {
		t.Errorf("the host sees it in %s", groups)
	}
	_ = p.Kill()
	gone(t, p)
}
