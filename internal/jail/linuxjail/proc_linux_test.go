package linuxjail

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"skep/internal/jail"
	"skep/internal/jail/seccomp"
	"skep/internal/process"
)

// TestHiddenProcesses: where /proc shows nobody the processes of others, a child that has changed its user
// and not yet executed its program is not there. Its start time was read then, and 5 to 20 of 40 starts
// failed. Run by root, the test runs itself again as nobody, with such a /proc.
func TestHiddenProcesses(t *testing.T) {
	if os.Geteuid() == 0 {
		asNobody(t, "TestHiddenProcesses", "mount -t proc -o hidepid=2 proc /proc")
		return
	}
	first, ok := subordinate(t, "/etc/subuid")
	if _, err := os.Stat("/proc/1"); err == nil || !ok {
		t.Skip("processes of others can be seen, or no range for this user")
	}
	id := Identity{UID: first + 7, GID: first + 7, Mapping: jail.BySubIDs}
	probes, err := ProbeLayers(id)
	if err != nil {
		t.Fatal(err)
	}
	spec := Spec{Hostname: "cell", Identity: id, Path: "/bin/true", Argv: []string{"true"},
		Root: Root{Size: 1 << 20, Files: closure(t, "/bin/true")}, Layers: decide(probes), Policy: seccomp.QEMU(seccomp.TCG)}
	var busy atomic.Bool
	busy.Store(true)
	defer busy.Store(false)
	for range runtime.NumCPU() + 1 { // a busy machine
		go func() {
			for busy.Load() {
			}
		}()
	}
	for range 10 {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				p, err := Start(t.Context(), spec)
				if err != nil {
					t.Error(err)
					return
				}
				if exit, err := p.Wait(t.Context()); err != nil || !exit.Seen || exit.Code != 0 || exit.Signal != 0 {
					t.Errorf("process %d: %+v, %v", p.Pid(), exit, err)
				}
				_ = p.Release()
			})
		}
		all.Wait()
	}
}

// TestForeignProc: by the number that a child has in its own PID namespace, a /proc of another one leads to
// somebody else's process, and it was that one whose user was mapped. Run by root, the test runs itself
// again in a new PID namespace that kept the old /proc.
func TestForeignProc(t *testing.T) {
	if os.Getpid() != 1 {
		needRoot(t)
		cmd := exec.Command("unshare", "--pid", "--fork", "/proc/self/exe", "-test.run=^TestForeignProc$", "-test.v")
		cmd.Path, _ = exec.LookPath("unshare")
		cmd.Args[3] = self(t)
		outcome(t, cmd)
		return
	}
	if _, err := openProc(); !errors.Is(err, process.ErrForeignProc) {
		t.Errorf("open /proc: %v", err)
	}
	spec, _ := prisonSpec(t, testIdentity)
	if p, err := Start(t.Context(), spec); !errors.Is(err, process.ErrForeignProc) {
		t.Errorf("start: %v, %v", p, err)
	}
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCloneThreadIsOver: once a start has returned, none of its threads is in the cell's v1 group any more.
// Whoever killed the group of a failed start killed himself.
func TestCloneThreadIsOver(t *testing.T) {
	needRoot(t)
	dir := group(t, "/sys/fs/cgroup/pids")
	procs := filepath.Join(dir, "cgroup.procs")
	for range 200 {
		c, err := newCloneThread(Spec{Cgroups: Cgroups{V1Procs: []string{procs}}})
		if err != nil {
			t.Fatal(err)
		}
		c.leave()
		if !c.joined {
			t.Skip("a thread may not join the group")
		}
		if b, err := os.ReadFile(procs); err != nil || strings.TrimSpace(string(b)) != "" {
			t.Fatalf("in the group afterwards: %q, %v", b, err)
		}
	}
}
