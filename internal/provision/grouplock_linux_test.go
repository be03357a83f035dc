package provision

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"skep/internal/fault"
	"skep/internal/plan"
	"skep/internal/store"
)

// testGroup is a control group that is not yet there, below one of the test's own.
func testGroup(t *testing.T) *plan.Cgroup {
	t.Helper()
	for _, root := range []string{"/sys/fs/cgroup/pids", "/sys/fs/cgroup"} {
		if _, err := os.Stat(root + "/cgroup.procs"); err != nil {
			continue
		}
		dir, err := os.MkdirTemp(root, "skep-lock-test")
		if err != nil {
			break
		}
		t.Cleanup(func() {
			if err := os.Remove(dir); err != nil && !os.IsNotExist(err) {
				t.Error(err)
			}
		})
		return &plan.Cgroup{Tree: "pids", Path: filepath.Join(dir, "100007")}
	}
	t.Skip("no control group can be made here")
	return nil
}

// inside starts a process in a group; its end is waited for.
func inside(t *testing.T, g *plan.Cgroup) (pid int, end func()) {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	reaped := make(chan struct{})
	go func() { defer close(reaped); _ = cmd.Wait() }()
	ended := func() { _ = cmd.Process.Kill(); <-reaped }
	t.Cleanup(ended)
	if err := os.WriteFile(g.Path+"/cgroup.procs", []byte(strconv.Itoa(cmd.Process.Pid)), 0); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, ended
}

// Two run directories with one range of uids begin at the same moment: one has the group, the other has nothing,
// and what it releases then is not the group.
func TestOneGroupOfTwoCells(t *testing.T) {
	g := testGroup(t)
	for round := range 20 {
		if round%2 == 1 { // a group that a dead cell has left
			if err := os.MkdirAll(g.Path, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		cells := [2]*linuxProvisioner{Sweeper(true).(*linuxProvisioner), Sweeper(true).(*linuxProvisioner)}
		var held [2]store.Held
		var errs [2]error
		var both sync.WaitGroup
		for i, c := range cells {
			both.Go(func() { held[i], errs[i] = c.acquireCgroup(g) })
		}
		both.Wait()
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		if errs[winner] != nil || errs[1-winner] == nil {
			t.Fatalf("round %d: %v, %v", round, errs[0], errs[1])
		}
		if code := fault.CodeOf(errs[1-winner]); code != fault.Busy {
			t.Fatalf("round %d: the loser ends with %d: %v", round, code, errs[1-winner])
		}
		if err := cells[1-winner].releaseCgroup(t.Context(), g, held[1-winner]); err != nil || !isGroup(g.Path, held[winner].Note) {
			t.Fatalf("round %d: the loser's release: %v", round, err)
		}
		if err := cells[winner].releaseCgroup(t.Context(), g, held[winner]); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(g.Path); err == nil {
			t.Fatalf("round %d: the group is still there", round)
		}
	}
}

// A keeper dies. While its guest lives nobody has the group; afterwards another cell may, and what
// sweeps the dead one's journal leaves that one alone.
func TestGroupOfADeadKeeper(t *testing.T) {
	g := testGroup(t)
	keeper := func() *linuxProvisioner { return Sweeper(true).(*linuxProvisioner) }
	dead, other := keeper(), keeper()
	first, err := dead.acquireCgroup(g)
	if err != nil {
		t.Fatal(err)
	}
	busy := &plan.Plan{Resources: []plan.Resource{{ID: "cgroup:pids", Spec: g}}}
	if !SlotBusy(busy) {
		t.Error("its number is free while it starts")
	}
	pid, end := inside(t, g)
	dead.drop(groupLock(g)) // as the kernel does
	if _, err := other.acquireCgroup(g); fault.CodeOf(err) != fault.Busy || !isGroup(g.Path, first.Note) {
		t.Errorf("with a guest in it: %v", err)
	}

	// A keeper that adopts the guest has the lock again, even between two lives of the guest.
	adopter := keeper()
	if err := adopter.adoptCgroup(g); err != nil {
		t.Fatal(err)
	}
	end()
	if _, err := other.acquireCgroup(g); fault.CodeOf(err) != fault.Busy || !isGroup(g.Path, first.Note) {
		t.Errorf("with an adopter: %v", err)
	}
	adopter.drop(groupLock(g))

	second, err := other.acquireCgroup(g)
	if err != nil || second.Note == first.Note {
		t.Fatalf("after the guest: %v", err)
	}
	pid, end = inside(t, g)
	lives := func() bool { return unix.Kill(pid, 0) == nil && isGroup(g.Path, second.Note) }
	for name, held := range map[string]store.Held{"group 1": first, "nothing": {}} {
		if err := keeper().releaseCgroup(t.Context(), g, held); err != nil || !lives() {
			t.Errorf("a sweep of what held %s: %v, and the other's cell lives: %v", name, err, lives())
		}
	}
	other.drop(groupLock(g)) // and now this one dies
	for name, held := range map[string]store.Held{"group 1": first, "nothing": {}} {
		if err := keeper().releaseCgroup(t.Context(), g, held); err != nil || !lives() {
			t.Errorf("without its keeper, a sweep of what held %s: %v, and the other's cell lives: %v", name, err, lives())
		}
	}
	if err := keeper().releaseCgroup(t.Context(), g, second); err != nil {
		t.Error(err)
	}
	end()
	if _, err := os.Stat(g.Path); err == nil {
		t.Error("the group is still there")
	}
}
