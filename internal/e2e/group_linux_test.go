package e2e

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What timeout(1), batch systems and service managers send goes to every process
// of a group or a control group at once. The hypervisor does not take it for
// itself: the keeper does, and the guest gets its power button.
func TestSignalToTheWholeGroup(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	l.cell("grouped", "accel = \"tcg\"\nmemory = \"192M\"\n"+kernelBlock(k))
	v := l.onTerminal("run", "grouped") // leads a process group of its own
	v.expect(boot, "guest: ready")
	c := l.show("grouped")
	pids := map[int]bool{v.cmd.Process.Pid: true, c.PID: true}
	for _, p := range groupOf(t, c.PID) {
		pids[p] = true
	}
	for pid := range pids {
		if err := unix.Kill(pid, unix.SIGTERM); err != nil {
			t.Errorf("SIGTERM to %d: %v", pid, err)
		}
	}
	if err := unix.Kill(-v.cmd.Process.Pid, unix.SIGTERM); err != nil {
		t.Error(err)
	}
	v.expect(slow, "guest: power button")
	v.expect(slow, "guest: powering off")
	v.ends(slow, 6)
	l.nothingLeft()
}

// groupOf are the processes of a process's control group, in whichever tree has
// one of its own for it.
func groupOf(t *testing.T, pid int) (pids []int) {
	t.Helper()
	groups, err := os.ReadFile(procOf(pid, "cgroup"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(groups), "\n") {
		_, path, _ := strings.Cut(line, ":/")
		if !strings.Contains(path, "skep") {
			continue
		}
		for _, tree := range []string{"", "/pids", "/memory", "/unified"} {
			b, _ := os.ReadFile("/sys/fs/cgroup" + tree + "/" + path + "/cgroup.procs")
			for _, f := range strings.Fields(string(b)) {
				n, _ := strconv.Atoi(f)
				pids = append(pids, n)
			}
		}
	}
	return pids
}

// The hypervisor alone takes none of them, whatever it installs at its start,
// in none of its threads, and goes on.
func TestHypervisorTakesNoStopSignal(t *testing.T) {
	needCells(t)
	for _, accel := range []string{"tcg", "kvm"} {
		t.Run(accel, func(t *testing.T) {
			if accel == "kvm" {
				needKVM(t)
			}
			t.Parallel()
			l := newLab(t)
			l.cell("deafened", "accel = \""+accel+"\"\nscreen {}")
			l.must(0, "up", "deafened")
			c := l.show("deafened")
			for _, s := range []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM} {
				if err := unix.Kill(c.PID, s); err != nil {
					t.Error(err)
				}
				for _, task := range mustList(t, procOf(c.PID, "task")) {
					tid, _ := strconv.Atoi(task)
					if err := unix.Tgkill(c.PID, tid, s); err != nil {
						t.Error(err)
					}
				}
			}
			time.Sleep(200 * time.Millisecond)
			con := l.console("deafened")
			con.send("xyz")
			con.expect(slow, "xyz")
			if r := l.skep("audit", "deafened"); r.code != 0 || !strings.Contains(r.out, "stop-signals") {
				t.Errorf("%s", r)
			}
			l.must(0, "down", "deafened")
			l.nothingLeft()
		})
	}
}

func mustList(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
