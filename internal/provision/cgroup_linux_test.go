package provision

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// A controller that the top of the tree does not hand down is handed down from there first, as on a host of
// systemd's, where nothing has had a use for cpu yet. Plain files stand for the kernel's.
func TestHandDown(t *testing.T) {
	top := t.TempDir()
	group := filepath.Join(top, "skep")
	for name, text := range map[string]string{
		"cgroup.controllers": "cpu memory pids\n", "cgroup.subtree_control": "memory pids\n",
		"skep/cgroup.controllers": "memory pids\n", "skep/cgroup.subtree_control": "pids\n",
	} {
		p := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wrote := func(dir string) string {
		b, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, step := range []struct{ controller, above, here string }{
		{"pids", "memory pids\n", "pids\n"},    // there already
		{"memory", "memory pids\n", "+memory"}, // comes as far as here
		{"cpu", "+cpu", "+cpu"},
	} {
		if err := handDown(group, step.controller); err != nil {
			t.Error(err)
		}
		if above, here := wrote(top), wrote(group); above != step.above || here != step.here {
			t.Errorf("%s: %q was written at the top and %q below", step.controller, above, here)
		}
	}
	if err := handDown(group, "rdma"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that the kernel has not got: %v", err)
	}
}
