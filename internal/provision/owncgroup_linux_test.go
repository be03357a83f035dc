package provision

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/plan"
)

// Whatever is in a job's group goes out of the cells' way, and back once the last of them is gone.
func TestOwnCgroup(t *testing.T) {
	top := ""
	for _, dir := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(dir + "/cgroup.controllers"); err == nil {
			top = dir
			break
		}
	}
	parent := filepath.Join(top, fmt.Sprintf("skep-test-own-%d", os.Getpid()))
	if top == "" || os.Mkdir(parent, 0o755) != nil {
		t.Skip("needs root and a tree of control groups v2")
	}
	defer os.Remove(parent)
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	pid := fmt.Sprint(cmd.Process.Pid)
	if err := os.WriteFile(parent+"/cgroup.procs", []byte(pid), 0); err != nil {
		t.Fatal(err)
	}
	in := func(dir string) bool {
		b, err := os.ReadFile(dir + "/cgroup.procs")
		return err == nil && strings.Contains("\n"+string(b), "\n"+pid+"\n")
	}
	o := &plan.OwnCgroup{Path: parent + "/skep-own", Parent: parent}
	for range 2 { // two cells of one job
		if err := acquireOwnCgroup(o); err != nil {
			t.Fatal(err)
		}
	}
	if !in(o.Path) || in(parent) {
		t.Error("it is still in the way")
	}
	cell := parent + "/skep"
	if err := os.Mkdir(cell, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := releaseOwnCgroup(o); err != nil || !in(o.Path) {
		t.Errorf("it is moved back while another cell is there (%v)", err)
	}
	if err := os.Remove(cell); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := releaseOwnCgroup(o); err != nil || !in(parent) {
			t.Errorf("it is not where it was (%v)", err)
		}
	}
	if _, err := os.Stat(o.Path); err == nil {
		t.Error("its group is left")
	}
}
