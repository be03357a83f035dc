package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"skep/guest/hello"
	"skep/internal/companion"
)

// worker is who speaks with a cell's hypervisor.
type worker struct {
	PID, UID, Restarts int
	Reason             string
}

func (l *lab) worker(name string) (w worker) {
	l.t.Helper()
	var c struct{ Worker worker }
	r := l.must(0, "show", "--json", name)
	if err := json.Unmarshal([]byte(r.out), &c); err != nil {
		l.t.Fatalf("%v\n%s", err, r)
	}
	return c.Worker
}

// another waits until a cell has a worker that it had not.
func (l *lab) another(name string, than worker) worker {
	l.t.Helper()
	eventually(l.t, slow, "another worker", func() bool { w := l.worker(name); return w.PID != 0 && w.PID != than.PID })
	return l.worker(name)
}

// A worker has no rights; where it dies, is stopped or loses its keeper, the guest goes on, another one is
// there, and the log says so.
func TestWorker(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("w", "accel = \"tcg\"\nscreen {}")
	l.must(0, "up", "w")
	first, cell := l.worker("w"), l.show("w")
	// Both are the small program, not skep.
	small, err := os.Stat(filepath.Join(filepath.Dir(skep), companion.Name))
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{first.PID, cell.KeeperPID} {
		if its, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && !os.SameFile(its, small) || err != nil && os.Geteuid() == 0 {
			t.Errorf("process %d is not %s (%v)", pid, companion.Name, err)
		}
	}
	status := statusOf(first.PID)
	if want := fmt.Sprintf("%[1]d %[1]d %[1]d %[1]d", first.UID); os.Geteuid() == 0 && (first.UID == 0 || first.UID == cell.UID || strings.Join(strings.Fields(status["Uid"]), " ") != want) {
		t.Errorf("it is %q, its cell %d", status["Uid"], cell.UID)
	}
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if status[set] != "0000000000000000" {
			t.Errorf("%s is %s", set, status[set])
		}
	}
	if entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/root", first.PID)); os.Geteuid() == 0 && (err != nil || len(entries) > 0) {
		t.Errorf("its rootfs holds %v (%v)", entries, err)
	}
	if r := l.must(0, "audit", "w"); !strings.Contains(r.out, "worker-rights") {
		t.Error(r)
	}
	l.must(0, "screenshot", "w", "-o", l.path("one.png"))

	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := l.another("w", first)
	if now := l.show("w"); now.PID != cell.PID || now.State != "running" || second.Restarts != 1 || !strings.Contains(second.Reason, "SIGKILL") {
		t.Errorf("the guest was %d and is %d, %s; the worker %+v", cell.PID, now.PID, now.State, second)
	}
	if r := l.must(0, "log", "w"); !strings.Contains(r.out, "[skep: the worker was started again: it was ended by SIGKILL]") {
		t.Error(r)
	}
	v := l.live("console", "w")
	v.send("?")
	v.expect(slow, hello.Commands)
	_ = v.cmd.Process.Signal(syscall.SIGTERM)
	<-v.done
	l.must(0, "pause", "w")
	l.must(0, "resume", "w")
	l.must(0, "screenshot", "w", "-o", l.path("two.png"))

	// One that is stopped has some seconds to answer.
	if err := syscall.Kill(second.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if r := l.skep("screenshot", "w", "-o", l.path("none.png")); r.code == 0 || !strings.Contains(r.err, "no answer") {
		t.Error(r)
	}
	third := l.another("w", second)
	if !strings.Contains(third.Reason, "does not answer") {
		t.Errorf("%+v", third)
	}

	// It ends with its keeper, and the next keeper has another.
	if err := syscall.Kill(cell.KeeperPID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, slow, "the worker is gone", func() bool { s := statusOf(third.PID)["State"]; return s == "" || strings.HasPrefix(s, "Z") })
	l.must(0, "adopt", "w")
	fourth := l.another("w", third)
	if now := l.show("w"); now.PID != cell.PID || now.State != "running" {
		t.Errorf("the guest was %d and is %d, %s", cell.PID, now.PID, now.State)
	}
	l.must(0, "audit", "w")
	l.must(0, "down", "w")
	eventually(t, 5*time.Second, "the worker is gone", func() bool { return statusOf(fourth.PID)["State"] == "" })
	l.nothingLeft()
}

// A guest that floods its console has its log cut, and the keeper reads none of it.
func TestKeeperReadsNoLog(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("flood", `console { log_size = "16K" }`)
	l.must(0, "up", "flood")
	keeper := l.show("flood").KeeperPID
	read := func() (n int64) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", keeper))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscanf(string(b), "rchar: %d", &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := read()
	v := l.live("console", "flood")
	v.expect(slow, hello.Commands)
	v.send("f")
	cuts, last := 0, int64(0)
	eventually(t, time.Minute, "the log was cut ten times", func() bool {
		if info, err := os.Stat(l.path("state/cells/flood/console.log")); err == nil {
			if info.Size() < last {
				cuts++
			}
			last = info.Size()
		}
		return cuts >= 10
	})
	// Each cut reads 8 KiB of the log. What the keeper reads is inotify's events and its worker's messages.
	if n := read() - before; n > 40<<10 {
		t.Errorf("the keeper has read %d bytes", n)
	}
	l.must(0, "kill", "flood")
	<-v.done
	if info, err := os.Stat(l.path("state/cells/flood/console.log")); err != nil || info.Size() > 16<<10 {
		t.Errorf("the log that stays: %v %v", info.Size(), err)
	}
	l.nothingLeft()
}
