package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// killed starts a cell and kills its keeper, and its hypervisor too where
// both; what it says of it is what was there before.
func (l *lab) killed(name string, both bool) cellState {
	l.t.Helper()
	l.must(0, "up", name)
	c := l.show(name)
	pids := []int{c.KeeperPID}
	if both {
		pids = append(pids, c.PID)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			l.t.Fatal(err)
		}
		eventually(l.t, 5*time.Second, "it is gone", func() bool {
			s := statusOf(pid)["State"]
			return s == "" || strings.HasPrefix(s, "Z")
		})
	}
	return c
}

// A torn journal is read up to its last whole line, and that is said: by sweep,
// by up, and by whoever takes a guest up again. Nothing is written behind the
// torn line.
func TestTornJournal(t *testing.T) {
	needCells(t)
	for _, c := range []struct {
		name, verb string
		both       bool
	}{{"sweep", "sweep", true}, {"up", "up", true}, {"adopt", "up", false}} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.cell("j", `accel = "tcg"`)
			l.killed("j", c.both)
			f, err := os.OpenFile(l.path("run/cells/j/journal"), os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString(`{"step":"released","id":"sl`); err != nil {
				t.Fatal(err)
			}
			f.Close()
			if r := l.must(0, c.verb, "j"); !strings.Contains(r.err, "not whole") {
				t.Errorf("it does not say so: %s", r)
			}
			if c.verb == "up" {
				b, err := os.ReadFile(l.path("run/cells/j/journal"))
				for line := range bytes.Lines(b) {
					if !json.Valid(line) {
						t.Errorf("a line of the journal: %s", line)
					}
				}
				if err != nil {
					t.Error(err)
				}
				l.must(0, "down", "j")
			}
			l.nothingLeft()
		})
	}
}

// edit changes a JSON file.
func (l *lab) edit(name string, change func(map[string]any)) {
	l.t.Helper()
	b, err := os.ReadFile(l.path(name))
	m := map[string]any{}
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		err = d.Decode(&m)
	}
	if err == nil {
		change(m)
		b, err = json.Marshal(m)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.write(name, string(b))
}

// bystander is a process that is none of skep's.
func bystander(t *testing.T) (pid int, start uint64, alive func() bool) {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+2:]))
	if _, err := fmt.Sscan(f[19], &start); err != nil { // starttime: proc_pid_stat(5)
		t.Fatal(err)
	}
	return cmd.Process.Pid, start, func() bool { return strings.HasPrefix(statusOf(cmd.Process.Pid)["State"], "S") }
}

// After a reboot the numbers in journal and state are others': even a process
// of that number and start time is left alone, and nothing is said to run.
func TestRebootBetweenUpAndPs(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("b", `accel = "tcg"`)
	c := l.killed("b", true)
	pid, start, alive := bystander(t)
	const earlier = "00000000-1111-2222-3333-444444444444"
	l.edit("run/cells/b/state.json", func(m map[string]any) { m["boot"], m["pid"], m["pid_start"] = earlier, pid, start })
	journal := l.path("run/cells/b/journal")
	b, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for line := range bytes.Lines(b) {
		m := map[string]any{}
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatal(err)
		}
		if m["boot"] != nil {
			m["boot"] = earlier
		}
		if held, ok := m["held"].(map[string]any); ok && held["pid"] != nil {
			held["pid"], held["start"] = pid, start
		}
		line, _ = json.Marshal(m)
		fmt.Fprintf(&text, "%s\n", line)
	}
	l.write("run/cells/b/journal", text.String())

	if s := l.show("b"); s.State == "running" || s.PID != 0 {
		t.Errorf("it is %s with pid %d: %s", s.State, s.PID, s.Reason)
	}
	l.must(0, "adopt", "--all") // nobody's
	l.must(0, "up", "b")
	if s := l.show("b"); s.State != "running" || s.PID == pid || s.PID == c.PID {
		t.Errorf("it is %s with pid %d", s.State, s.PID)
	}
	l.must(0, "down", "b")
	if !alive() {
		t.Error("a process that was none of skep's was ended")
	}
	l.nothingLeft()
	// This boot's control groups stay in the lab's journal no more.
	l.must(0, "sweep")
}

// A number that another process has by now is no hypervisor.
func TestPidReused(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("r", `accel = "tcg"`)
	l.killed("r", true)
	pid, start, alive := bystander(t)
	l.edit("run/cells/r/state.json", func(m map[string]any) { m["pid"], m["pid_start"], m["keeper_pid"] = pid, start-1, pid })
	b, err := os.ReadFile(l.path("run/cells/r/journal"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range bytes.Lines(b) {
		m := map[string]any{}
		_ = json.Unmarshal(line, &m)
		if held, ok := m["held"].(map[string]any); ok && held["pid"] != nil {
			held["pid"], held["start"] = pid, start-1
		}
		line, _ = json.Marshal(m)
		lines = append(lines, string(line)+"\n")
	}
	l.write("run/cells/r/journal", strings.Join(lines, ""))
	if s := l.show("r"); s.State != "crashed" || s.PID != 0 {
		t.Errorf("it is %s with pid %d", s.State, s.PID)
	}
	for _, verb := range []string{"ps", "kill", "down", "sweep"} {
		args := []string{verb, "r"}
		l.must(0, args...)
	}
	if !alive() {
		t.Error("a process that was none of skep's was ended")
	}
	l.nothingLeft()
}

// A disk that fills up while a cell runs costs its log and what is remembered,
// and neither the guest nor the cleaning up.
func TestDiskFillsUp(t *testing.T) {
	needCells(t)
	l := newLab(t)
	for _, dir := range []string{"state", "run"} {
		where := l.path(dir)
		if err := os.Mkdir(where, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("test", where, "tmpfs", 0, "size=1m,mode=0700"); err != nil {
			t.Skip("needs to mount a tmpfs: " + err.Error())
		}
		defer func() { _ = unix.Unmount(where, unix.MNT_DETACH) }()
	}
	full := func() {
		for _, dir := range []string{"state", "run"} {
			f, err := os.Create(l.path(dir + "/filler"))
			if err != nil {
				t.Fatal(err)
			}
			for _, err = f.Write(make([]byte, 4096)); err == nil; _, err = f.Write(make([]byte, 4096)) {
			}
			f.Close()
		}
	}
	l.cell("f", `accel = "tcg"`)
	l.must(0, "up", "f")
	full()
	if s := l.show("f"); s.State != "running" {
		t.Errorf("it is %s: %s", s.State, s.Reason)
	}
	v := l.live("console", "f")
	v.send("r")
	v.expect(20*time.Second, "hello from")
	l.must(0, "ps")
	l.must(0, "down", "f")
	if s := l.show("f"); s.State == "running" || s.PID != 0 {
		t.Errorf("after down it is %s with pid %d", s.State, s.PID)
	}
	cells, _ := filepath.Glob(l.path("run/cells/*"))
	if len(l.processes()) > 0 || len(cells) > 0 {
		t.Errorf("left: %v, %v", l.processes(), cells)
	}
	// The keeper dies on the full disk: whoever comes finds all of it.
	for _, dir := range []string{"state", "run"} {
		if err := os.Remove(l.path(dir + "/filler")); err != nil {
			t.Fatal(err)
		}
	}
	l.must(0, "up", "f")
	full()
	if err := syscall.Kill(l.show("f").KeeperPID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	l.skep("sweep", "f")
	if left := l.processes(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	for _, dir := range []string{"state", "run"} {
		if err := os.Remove(l.path(dir + "/filler")); err != nil {
			t.Fatal(err)
		}
	}
	l.must(0, "sweep")
	if cells, _ := filepath.Glob(l.path("run/cells/*")); len(cells) > 0 {
		t.Errorf("left: %v", cells)
	}
}

// A clock that jumped back makes a cell one that began in the future.
func TestClockJumpsBack(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("c", `accel = "tcg"`)
	l.must(0, "up", "c")
	l.edit("run/cells/c/state.json", func(m map[string]any) { m["since"] = time.Now().Add(6 * time.Hour).UTC() })
	if r := l.must(0, "ps"); !strings.Contains(r.out, "running") || strings.Contains(r.out, "  -6h") {
		t.Errorf("ps says\n%s", r)
	}
	l.must(0, "down", "c")
	l.nothingLeft()
}
