package jail

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// waiting is the child that will empty the room of p, as soon as it waits.
func waiting(t *testing.T, p *Process) *emptier {
	t.Helper()
	p.PrepareEmpty()
	<-p.prepared
	if p.unprepared != nil {
		t.Fatal(p.unprepared)
	}
	e := p.emptier
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		now, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", e.pid))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(now), fmt.Sprintf("%d ", unix.SYS_READ)) {
			return e
		}
		if time.Now().After(end) {
			t.Fatalf("it does not wait: %s", now)
		}
	}
}

// One that waits stands in the hypervisor's namespaces, holds nothing of the keeper's and has not changed
// anything yet; on the word it empties the room, and is gone.
func TestEmptierWaits(t *testing.T) {
	needRoot(t)
	spec, talk := prisonSpec(t, testIdentity)
	p := start(t, spec)
	ask(t, talk, "look")
	e := waiting(t, p)
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", e.pid))
	if err != nil || len(fds) != 5 { // the process, the two pipes' ends, the root and what it was made with
		t.Errorf("it holds %v, %v", fds, err)
	}
	for _, space := range []string{"user", "mnt"} {
		its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", e.pid, space))
		if own, oerr := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", p.Pid(), space)); err != nil || oerr != nil || its != own {
			t.Errorf("its %s namespace is %s and the hypervisor's %s: %v %v", space, its, own, err, oerr)
		}
	}
	if left := inside(t, p.Pid()); len(left) == 0 {
		t.Error("the room is empty already")
	}
	if err := p.Empty(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := inside(t, p.Pid()); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
	p.Settle()
	if err := unix.Kill(e.pid, 0); err != unix.ESRCH {
		t.Errorf("it is still there: %v", err)
	}
}

// One that is never given the word goes with the keeper's interest in the process, and has done nothing.
func TestEmptierIsDismissed(t *testing.T) {
	needRoot(t)
	spec, _ := prisonSpec(t, testIdentity)
	p := start(t, spec)
	e := waiting(t, p)
	p.Settle()
	if err := unix.Kill(e.pid, 0); err != unix.ESRCH {
		t.Errorf("it is still there: %v", err)
	}
	if left := inside(t, p.Pid()); len(left) == 0 {
		t.Error("it has emptied the room")
	}
	if err := p.Empty(t.Context()); err == nil {
		t.Error("it is said to have emptied the room")
	}
}

// One that does not go on holds nobody up for longer than the caller will wait.
func TestEmptierStuck(t *testing.T) {
	needRoot(t)
	spec, _ := prisonSpec(t, testIdentity)
	p := start(t, spec)
	e := waiting(t, p)
	if err := unix.Kill(e.pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Empty(ctx); err == nil {
		t.Error("it is said to have emptied the room")
	}
	p.Settle()
	if err := unix.Kill(e.pid, 0); err != unix.ESRCH {
		t.Errorf("it is still there: %v", err)
	}
}

// A hypervisor that is gone has no room, and the error says so.
func TestEmptyOfNobody(t *testing.T) {
	needRoot(t)
	spec, _ := prisonSpec(t, testIdentity)
	p := start(t, spec)
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	err := p.Empty(t.Context())
	if err == nil || !strings.Contains(err.Error(), "step join") {
		t.Errorf("%v", err)
	}
	p.Settle()
}
