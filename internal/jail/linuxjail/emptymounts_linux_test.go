package linuxjail

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
	"skep/internal/jail/seccomp"
	"skep/internal/layer"
)

func mountsOf(t *testing.T, who string) []string {
	t.Helper()
	b, err := os.ReadFile("/proc/" + who + "/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

// A child that is cloned in an empty mount namespace is born with one mount, on which it can do nothing, and the process
// that cloned it goes on among its own.
func TestEmptyMounts(t *testing.T) {
	needRoot(t)
	before := mountsOf(t, "self")
	empty, err := SharedEmptyMounts()
	if err != nil {
		t.Fatal(err)
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	within := Spec{Identity: testIdentity, Layers: decisions(t, testIdentity), EmptyMounts: empty}
	b := &builder{}
	b.rows(step("", "wait", sysRead, "until it has been looked at", descriptor("pipe", pipe[0]), mem("&byte", new([8]byte)), number(1)))
	loaded, err := b.Program.load(pipe[1])
	if err != nil {
		t.Fatal(err)
	}
	c, err := newCloneThread(within)
	if err != nil {
		t.Fatal(err)
	}
	defer c.leave()
	reached := ""
	pid, admitted, err := c.fork(loaded, &cloneArgs{Flags: unix.CLONE_NEWNS | unix.CLONE_CLEAR_SIGHAND, ExitSignal: uint64(unix.SIGCHLD)}, func(proc, pid int) error {
		reached = fmt.Sprint(pid)
		return tell(proc, pid, "oom_score_adj", "123") // past the path, which the thread has not got
	})
	if err != nil || !c.joined || !admitted || reached != fmt.Sprint(pid) {
		t.Fatal(c.joined, admitted, reached, err)
	}
	if score, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid)); err != nil || string(score) != "123\n" {
		t.Errorf("the thread has not written: %q, %v", score, err)
	}
	born := mountsOf(t, fmt.Sprint(pid))
	_ = unix.Kill(pid, unix.SIGKILL)
	unix.Close(pipe[1])
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
			break
		}
	}
	if len(born) != 1 || !strings.Contains(born[0], " / / ro,nosuid,nodev,noexec") {
		t.Errorf("born with %q", born)
	}
	if after := mountsOf(t, "self"); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("the caller's mounts are\n%s\nand were\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
}

// A clone thread in which nothing is forked ends, and its thread with it.
func TestCloneThreadIsLeft(t *testing.T) {
	needRoot(t)
	empty, err := SharedEmptyMounts()
	if err != nil {
		t.Fatal(err)
	}
	within := Spec{Identity: testIdentity, Layers: decisions(t, testIdentity), EmptyMounts: empty}
	threads := func() int {
		list, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	before := threads()
	for range 50 {
		c, err := newCloneThread(within)
		if err != nil {
			t.Fatal(err)
		}
		c.leave()
	}
	for end := time.Now().Add(10 * time.Second); threads() > before+10; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d threads, %d before", threads(), before)
		}
	}
}

// The jail is the same one wherever it was cloned.
func TestEmptyMountsChangesNothing(t *testing.T) {
	needRoot(t)
	empty, err := SharedEmptyMounts()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	networks := map[string]bool{}
	seen := func(spec Spec) string {
		p, err := Start(ctx, spec)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = p.Kill(); <-p.Done(); _ = p.Release() }()
		space := func(who string) string {
			link, err := os.Readlink("/proc/" + who + "/ns/net")
			if err != nil {
				t.Fatal(err)
			}
			return link
		}
		if own := space(fmt.Sprint(p.Pid())); own == space("self") || networks[own] {
			t.Errorf("its network namespace %s is another's as well", own)
		} else {
			networks[own] = true
		}
		var lines []string
		for _, m := range mountsOf(t, fmt.Sprint(p.Pid())) { // numbers of mounts and devices differ
			f := strings.Fields(m)
			lines = append(lines, strings.Join(append([]string{f[3], f[4], f[5]}, f[6:len(f)-1]...), " "))
		}
		return strings.Join(lines, "\n")
	}
	spec := Spec{Hostname: "cell", Identity: testIdentity, Path: "/bin/sleep", Argv: []string{"sleep", "60"},
		Root: Root{Size: 1 << 20, Files: closure(t, "/bin/sleep")}, Layers: decisions(t, testIdentity), Policy: seccomp.QEMU(seccomp.TCG)}
	without := seen(spec)
	spec.EmptyMounts = empty
	if with := seen(spec); with != without {
		t.Errorf("cloned in an empty mount namespace:\n%s\notherwise:\n%s", with, without)
	}
	for _, gone := range []layer.ID{layer.MountNamespace, layer.PrivateRoot} {
		other := spec
		other.Layers = layer.Without(spec.Layers, gone)
		if other.cloneFrom() != nil {
			t.Errorf("without %s it would stay in the empty mount namespace", gone)
		}
	}
	if other := (Spec{Layers: spec.Layers, EmptyMounts: empty, Identity: Identity{Mapping: jail.ByOwn}}); other.cloneFrom() != nil {
		t.Error("an ordinary user's child takes files by their paths, which the empty mount namespace has not")
	}
}
