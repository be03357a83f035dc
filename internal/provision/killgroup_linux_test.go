package provision

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestKillCgroupSparesItself: a v1 group that a thread of ours is in lists us.
func TestKillCgroupSparesItself(t *testing.T) {
	const root = "/sys/fs/cgroup/pids"
	dir, err := os.MkdirTemp(root, "skep-kill-test")
	if err != nil {
		t.Skipf("no v1 group can be made here: %v", err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := os.WriteFile(filepath.Join(dir, "tasks"), []byte("0"), 0); err != nil {
		t.Fatal(err)
	}
	killCgroup(dir)
	if err := os.WriteFile(filepath.Join(root, "tasks"), []byte("0"), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir); err != nil {
		t.Error(err)
	}
}
