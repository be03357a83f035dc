package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// Many cells at once: none fails, ps answers meanwhile, each has a uid of its
// own, and down leaves nothing. The benchmarks do it with two hundred.
func TestCrowd(t *testing.T) {
	needCells(t)
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	const cells = 50
	l := newLabOf(t, cells)
	for i := range cells {
		l.cell(fmt.Sprintf("c%d", i), "memory = \"16M\"\naccel = \"tcg\"")
	}
	begin := time.Now()
	slowest := time.Duration(0)
	up := make(chan result, 1)
	go func() { up <- l.skep("up", "--all") }()
	for going := true; going; {
		select {
		case r := <-up:
			going = false
			if r.code != 0 {
				t.Fatalf("up --all: %s", r)
			}
		case <-time.After(100 * time.Millisecond):
			asked := time.Now()
			l.must(0, "ps")
			slowest = max(slowest, time.Since(asked))
		}
	}
	took := time.Since(begin)
	t.Logf("%d cells in %s; the slowest ps meanwhile took %s", cells, took, slowest)
	// A cell takes about 60 ms of one processor; the bounds are for a machine
	// that does much else.
	if took > 60*time.Second || slowest > 3*time.Second {
		t.Errorf("up --all took %s, the slowest ps %s", took, slowest)
	}
	var list struct{ Cells []cellState }
	if err := json.Unmarshal([]byte(l.must(0, "ps", "--json").out), &list); err != nil {
		t.Fatal(err)
	}
	uids := map[int]string{}
	for _, c := range list.Cells {
		if c.State != "running" {
			t.Errorf("%s is %s: %s", c.Name, c.State, c.Reason)
		}
		if other, used := uids[c.UID]; used || !l.mine(c.UID) {
			t.Errorf("%s has uid %d, as has %q", c.Name, c.UID, other)
		}
		uids[c.UID] = c.Name
	}
	if len(uids) != cells {
		t.Errorf("%d uids for %d cells", len(uids), cells)
	}
	l.must(0, "down", "--all")
	// It waits for the processes, not for what they have said last.
	for _, c := range list.Cells {
		for what, pid := range map[string]int{"hypervisor": c.PID, "keeper": c.KeeperPID} {
			if pid == 0 {
				t.Errorf("%s has no %s", c.Name, what)
			} else if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && !strings.Contains(string(b), ") Z ") {
				t.Errorf("the %s of %s is there after down --all: %.60s", what, c.Name, b)
			}
		}
	}
	l.nothingLeft()
}

// A host whose slots are all taken says so, with the status that asks to try
// again later, and the cells that run are left alone.
func TestNoSlotLeft(t *testing.T) {
	needCells(t)
	l := newLabOf(t, 2)
	for _, n := range []string{"a", "b", "c"} {
		l.cell(n, `accel = "tcg"`)
	}
	l.must(0, "up", "a", "b")
	for _, verb := range []string{"up", "run"} {
		if r := l.must(75, verb, "c"); !strings.Contains(r.err, "slots are taken") {
			t.Errorf("%s", r)
		}
	}
	if s := l.show("a"); s.State != "running" {
		t.Errorf("a is %s", s.State)
	}
	l.must(0, "down", "a")
	l.must(0, "up", "c")
	l.must(0, "down", "--all")
	l.nothingLeft()
}
