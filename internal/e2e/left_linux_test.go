package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/layout"
)

// close ends what is still there and says so: a test that leaves something is
// a test that failed, whatever it was about.
func (l *lab) close() {
	if left := l.left(); len(left) > 0 {
		if !l.t.Failed() {
			l.t.Errorf("left behind:\n  %s", strings.Join(left, "\n  "))
		}
		l.skep("kill", "--all")
		l.skep("sweep")
		for _, p := range l.processes() {
			_ = unix.Kill(p.pid, unix.SIGKILL)
		}
		l.skep("sweep")
	}
	os.RemoveAll(l.dir)
}

// nothingLeft fails unless all that skep did here is undone but for what is
// meant to stay: logs, UEFI variables, what is remembered.
func (l *lab) nothingLeft() {
	l.t.Helper()
	var left []string
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if left = l.left(); len(left) == 0 {
			return
		}
	}
	l.t.Fatalf("left behind:\n  %s", strings.Join(left, "\n  "))
}

// left lists everything on this host that belongs to the lab and that a host
// without running cells does not have: processes by uid or environment, control
// groups by uid, mounts and sockets by path, interfaces by tag, files of the
// run directory.
func (l *lab) left() (left []string) {
	for _, p := range l.processes() {
		left = append(left, fmt.Sprintf("process %d, uid %d: %s", p.pid, p.uid, p.args))
	}
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		if uid, err := strconv.Atoi(d.Name()); err == nil && l.mine(uid) {
			left = append(left, "control group "+path)
		}
		return nil
	})
	for _, table := range []string{"/proc/self/mountinfo", "/proc/net/unix"} {
		b, _ := os.ReadFile(table)
		for line := range strings.Lines(string(b)) {
			if strings.Contains(line, l.dir+"/") {
				left = append(left, table+": "+strings.TrimSpace(line))
			}
		}
	}
	for _, sub := range []string{"cells", "slots", "locks", "cards", "segments", "../run-access"} {
		entries, _ := os.ReadDir(filepath.Join(l.dir, "run", sub))
		for _, e := range entries {
			left = append(left, filepath.Join("run", sub, e.Name())+l.whyLeft(sub, e.Name()))
		}
	}
	return left
}

// whyLeft says what is in a run directory that stayed, and what the keeper of it said last.
func (l *lab) whyLeft(sub, name string) (why string) {
	if sub != "cells" {
		return ""
	}
	dir := filepath.Join(l.dir, "run", sub, name)
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		why += " " + e.Name()
	}
	journal, _ := os.ReadFile(filepath.Join(dir, layout.Journal))
	for line := range strings.Lines(string(journal)) {
		if !strings.Contains(line, `"step":"taking"`) { // the plan's resource, at length
			why += "\n" + strings.TrimSpace(line)
		}
	}
	said, _ := os.ReadFile(l.path("state/cells/" + name + "/" + layout.KeeperLog))
	return why + "\n" + string(said[max(0, len(said)-2000):])
}

// mine says whether a uid is one of this lab's cells or of their workers.
func (l *lab) mine(uid int) bool { return uid >= l.uidBase && uid < l.uidBase+2*l.uids }

// process is one process of the host's.
type process struct {
	pid, uid int
	parent   int
	args     string
}

// processes are the lab's: hypervisors by their uid, keepers by their
// environment.
func (l *lab) processes() (mine []process) {
	for _, p := range allProcesses() {
		of, uid := p.pid, p.uid
		if strings.HasSuffix(p.args, "(reader)") {
			// Its number is in a range that goes beyond a lab's: whose it is its keeper says, with which it ends, or
			// what it holds, if it does not.
			if of, uid = p.parent, -1; l.holds(p.pid) {
				mine = append(mine, p)
				continue
			}
		}
		if strings.HasPrefix(p.args, "swtpm ") {
			const tools = 512 // host.TPMIdentity
			uid -= 2*l.uids + tools
		}
		env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", of))
		if l.mine(uid) || strings.Contains(string(env), "SKEP_RUN_DIR="+l.path("run")+"\x00") {
			mine = append(mine, p)
		}
	}
	return mine
}

// holds says whether a process has a file of the lab's open.
func (l *lab) holds(pid int) bool {
	open, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, fd := range open {
		if path, err := os.Readlink(fd); err == nil && strings.HasPrefix(path, l.dir+"/") {
			return true
		}
	}
	return false
}

// A network or a capture that outlives its keeper is left, whoever its parent is by then.
func TestReadersAreSeen(t *testing.T) {
	needCells(t)
	l, other := newLab(t), newLab(t)
	f, err := os.Create(l.path("network.jsonl"))
	l.try(err)
	defer f.Close()
	cmd := exec.Command("sh", "-c", "read x", "(reader)")
	cmd.ExtraFiles = []*os.File{f}
	hold, err := cmd.StdinPipe()
	l.try(err)
	l.try(cmd.Start())
	defer func() { hold.Close(); _ = cmd.Wait() }()
	eventually(t, slow, "it runs", func() bool { b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid)); return len(b) > 0 })
	is := func(p process) bool { return p.pid == cmd.Process.Pid }
	if !slices.ContainsFunc(l.processes(), is) {
		t.Error("a reader that has a file of the lab's open is not seen")
	}
	if slices.ContainsFunc(other.processes(), is) {
		t.Error("it is seen as another lab's")
	}
}

func allProcesses() (all []process) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		status := statusOf(pid)
		if status == nil || strings.HasPrefix(status["State"], "Z") {
			continue
		}
		p := process{pid: pid, uid: -1}
		if f := strings.Fields(status["Uid"]); len(f) > 0 {
			p.uid, _ = strconv.Atoi(f[0])
		}
		p.parent, _ = strconv.Atoi(status["PPid"])
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		p.args = strings.ReplaceAll(strings.TrimRight(string(b), "\x00"), "\x00", " ")
		all = append(all, p)
	}
	return all
}

// statusOf reads /proc/PID/status; nil where the process is gone.
func statusOf(pid int) map[string]string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil
	}
	m := map[string]string{}
	for line := range strings.Lines(string(b)) {
		k, v, _ := strings.Cut(line, ":")
		m[k] = strings.TrimSpace(v)
	}
	return m
}

// needCells skips where no cell of root's can run.
func needCells(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: cells with uids of their own")
	}
	if why := hostLacks(); why != "" {
		t.Skip("this host runs no cell: " + why)
	}
}
