package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The bare QEMU differs from the cell's in nothing that takes time.
func TestAlone(t *testing.T) {
	got := alone([]string{"qemu", "-S", "-m", "size=64M", "-action", "shutdown=pause", "-kernel", "/kernel"})
	if want := []string{"qemu", "-m", "size=64M", "-kernel", "/kernel"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestMiddle(t *testing.T) {
	boot, write, read := middle([]lap{{5, series{1, 2, 9}, series{4}}, {7, series{3, 8}, series{6, 5}}, {6, nil, nil}})
	if boot != 6 || write != 3 || read != 5 {
		t.Error(boot, write, read)
	}
}

func TestSpread(t *testing.T) {
	of := map[[2]int]series{{1, 0}: {10, 11, 30}, {1, 500}: {22}, {5, 0}: {44}}
	if got := spread(of, func(at [2]int) bool { return at[0] == 1 }); got != 2 {
		t.Error(got)
	}
	if got := spread(of, func([2]int) bool { return true }); got != 4 {
		t.Error(got)
	}
}

// The guest's words mark the times, in their order, and one that fails is not measured.
func TestDrive(t *testing.T) {
	play := func(script string) (lap, error) {
		ours, theirs := net.Pipe()
		go func() {
			buf := make([]byte, 64)
			for part := range strings.SplitSeq(script, "|") {
				if part == "" {
					_, _ = theirs.Read(buf) // an order
					continue
				}
				_, _ = theirs.Write([]byte(part))
			}
			theirs.Close()
		}()
		var l lap
		err := l.drive(ours, time.Now())
		return l, err
	}
	pump := "||guest: pump begins\n|guest: pumped out\n|guest: pumped in\n"
	if l, err := play("noise\nguest: ready\n" + strings.Repeat(pump, guestPumps) + "||x"); err != nil || len(l.write) != guestPumps || len(l.read) != guestPumps || l.boot <= 0 {
		t.Errorf("%+v, %v", l, err)
	}
	for _, script := range []string{"guest: ready\n||guest: pump failed: EIO\n", "kernel panic\n"} {
		if _, err := play(script); err == nil {
			t.Errorf("%q is measured", script)
		}
	}
}

// TestRivalThatFails: what cannot run is not measured.
func TestRivalThatFails(t *testing.T) {
	r := &rival{words: func(dir string) []string { return []string{filepath.Join(dir, "none")} }}
	r.once(t.TempDir())
	if r.absent == "" || len(r.took) != 0 {
		t.Errorf("%+v", r)
	}
}

// A nursery builds jails with more mounts than the host has, and the host gets none of them.
func TestNursery(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for name, sub := range map[string]string{"SKEP_CONFIG_DIR": "config", "SKEP_STATE_DIR": "state", "SKEP_RUN_DIR": "run"} {
		t.Setenv(name, filepath.Join(t.TempDir(), sub))
	}
	t.Setenv(asInner, "1")
	before, _ := os.ReadFile("/proc/self/mountinfo")
	n, err := newNursery(t.TempDir(), 20)
	if err != nil {
		t.Skip("this host runs no cell: ", err)
	}
	defer n.close()
	b, err := n.build()
	if err != nil || b.Exec <= 0 || b.Ended < b.Exec || b.CPU <= 0 {
		t.Errorf("%+v, %v", b, err)
	}
	if after, _ := os.ReadFile("/proc/self/mountinfo"); string(after) != string(before) {
		t.Errorf("the host's mounts have changed:\n%s", after)
	}
}

// asInner has the test's own program be a nursery.
const asInner = "SKEP_BENCH_TEST_INNER"

func TestMain(m *testing.M) {
	if os.Getenv(asInner) != "" && len(os.Args) == 4 && os.Args[1] == innerName {
		if innerMain(os.Args[2:]) != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
