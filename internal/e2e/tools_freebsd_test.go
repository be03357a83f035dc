package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// needs skips where a FreeBSD host cannot do what a test is about.
func needs(t *testing.T, what ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, w := range what {
		if exec.Command("kldstat", "-q", "-m", w).Run() != nil {
			t.Skipf("%s.ko is not loaded", w)
		}
	}
}

// host runs a command of the host's, with skep in its PATH, and returns what it
// wrote and its status.
func host(t testing.TB, env []string, argv ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(append(os.Environ(), "PATH="+filepath.Dir(skep)+":"+os.Getenv("PATH")), env...)
	cmd.WaitDelay = limit
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", argv, err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// must is host for a command that has to work.
func must(t testing.TB, argv ...string) string {
	t.Helper()
	out, code := host(t, nil, argv...)
	if code != 0 {
		t.Fatalf("%v: status %d\n%s", argv, code, out)
	}
	return out
}

// unmount waits for a mount to be let go of: a jail that dies holds on to its
// root for a while.
func unmount(t *testing.T, path string) {
	t.Helper()
	for range 30 {
		if !slices.Contains(strings.Fields(must(t, "mount", "-p")), path) {
			return
		}
		if _, code := host(t, nil, "umount", path); code == 0 {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Errorf("%s is still mounted", path)
}

// until waits for something to be so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
