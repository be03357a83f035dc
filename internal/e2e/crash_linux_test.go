package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Whatever dies and whenever it dies, a sweep brings the host back. The test
// walks the plan, so a new kind of resource is covered the day it is added:
// the keeper kills itself before, in and after the taking of every resource,
// and before and after each release; the sweeper does the same.
func TestDeathAnywhere(t *testing.T) {
	needCells(t)
	needTap(t)
	if os.Geteuid() != 0 {
		t.Skip("taps and bridges need root")
	}
	l := newLab(t)
	bridge := fmt.Sprintf("skb%d", os.Getpid()%100000)
	base := l.baseImage("base.img", "of the base", 1<<20)
	ground := fingerprint(t, base)
	tpm := ""
	if _, err := exec.LookPath("swtpm"); err == nil {
		tpm = "tpm {}\n"
	}
	l.cell("c", tpm+fmt.Sprintf(`
accel = "tcg"
disk "d" {
  file = %q
  size = "1M"
}
disk "kept" {
  base = %q
}
disk "disposable" {
  base = %q
  disposable = true
}
bridge %q {
  create = true
}
nic "n" {
  bridge = %q
  capture = true
}
nic "s" {
  network = "sinkhole"
}
nic "l" {
  network = "lab"
  segment = "deaths"
}
access {
  users = ["61001"]
  may   = ["read"]
}
screen {
}
files "in" {
  paths = [%q]
}
seed {
}
results "out" {
}
`, l.path("d.img"), base, base, bridge, bridge, l.write("sample", "x")))
	l.must(0, "up", "c")
	var points []string
	for _, r := range l.show("c").Plan.Resources {
		for _, step := range []string{"taking", "took", "taken", "releasing", "released"} {
			points = append(points, step+":"+r.ID)
		}
	}
	points = append(points, "begun:hypervisor")
	if tpm != "" {
		points = append(points, "begun:tpm")
	}
	l.must(0, "down", "c")
	l.nothingLeft()
	data := fingerprint(t, l.path("d.img"))
	tried, reached := 0, 0
	for _, at := range points {
		tried++
		if l.dieAt(at) {
			reached++
		} else if !strings.HasSuffix(at, ":socket:control") && !strings.HasSuffix(at, ":socket:access") {
			// The sockets of the keeper itself go last, with the run directory.
			t.Errorf("nothing died at %s", at)
		}
		if fingerprint(t, l.path("d.img")) != data {
			t.Fatalf("death at %s has changed the disk", at)
		}
		if fingerprint(t, base) != ground {
			t.Fatalf("death at %s has changed the base", at)
		}
		for _, file := range l.layersOf("c") {
			if strings.HasPrefix(file, "disposable-") || strings.HasPrefix(file, ".") {
				t.Fatalf("death at %s has left %s", at, file)
			}
		}
	}
	for _, at := range points {
		step, id, _ := strings.Cut(at, ":")
		if step != "taking" && step != "taken" {
			continue
		}
		tried++
		reached++
		l.dieSweeping(map[string]string{"taking": "sweeping:", "taken": "swept:"}[step] + id)
	}
	t.Logf("%d points tried, the keeper or the sweeper died at %d, 0 leaks", tried, reached)
}

// dieAt runs the cell with a keeper that dies at a point, and sweeps. It says
// whether the point was reached.
func (l *lab) dieAt(at string) (died bool) {
	l.t.Helper()
	l.env = append(l.env, "SKEP_TEST_CRASH_AT="+at)
	r := l.skep("up", "c")
	died = r.code != 0
	if !died {
		// A keeper that comes to its end writes how; of one that dies on the way
		// show says that it has died, and once it is swept that it had.
		l.skep("down", "c")
		reason := l.show("c").Reason
		died = strings.Contains(reason, "its keeper has died") || strings.Contains(reason, "its keeper had died")
	}
	l.env = l.env[:len(l.env)-1]
	swept := l.must(0, "sweep")
	if left := l.left(); len(left) > 0 {
		l.t.Fatalf("after death at %s there is left: %s\nthe sweep said %s", at, strings.Join(left, ", "), swept)
	}
	return died
}

// dieSweeping kills keeper, and then the sweeper at a point; the next sweep
// finishes.
func (l *lab) dieSweeping(at string) {
	l.t.Helper()
	l.must(0, "up", "c")
	pid := l.show("c").KeeperPID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		l.t.Fatal(err)
	}
	eventually(l.t, 5*time.Second, "the keeper is gone", func() bool { return statusOf(pid)["State"] == "" || strings.HasPrefix(statusOf(pid)["State"], "Z") })
	l.env = append(l.env, "SKEP_TEST_CRASH_AT="+at)
	r := l.skep("sweep")
	l.env = l.env[:len(l.env)-1]
	if r.code == 0 {
		l.t.Errorf("the sweeper did not die at %s\n%s", at, r)
	}
	l.must(0, "sweep")
	l.nothingLeft()
	if l.t.Failed() {
		l.t.Fatalf("left behind after the sweeper's death at %s", at)
	}
}

// A hypervisor that is killed is a crash of the hypervisor, and leaves
// nothing.
func TestHypervisorKilled(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("k", `accel = "tcg"`)
	l.must(0, "up", "k")
	if err := syscall.Kill(l.show("k").PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the cell has crashed", func() bool { return l.show("k").State == "crashed" })
	l.nothingLeft()
}
