package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"skep/internal/fault"
	"skep/internal/process"
)

// live is a directory with a cell that can run here, emulated. Without root as well: what is left out of its
// jail then is named and is no failure.
func live(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if s := skepIn(t, dir, "doctor"); s.code != fault.OK {
		t.Skip("no cell runs on this host: " + s.out)
	}
	write(t, dir+"/etc/cells/web.hcl", "cell \"web\" {\n accel = \"tcg\"\n}\n")
	t.Cleanup(func() { skepIn(t, dir, "kill", "--all") })
	return dir
}

// state is what ps --json has of a cell.
func state(t *testing.T, dir, name string) cellJSON {
	t.Helper()
	var list struct{ Cells []cellJSON }
	if err := json.Unmarshal([]byte(skepIn(t, dir, "ps", "--json", name).want(t, fault.OK).out), &list); err != nil || len(list.Cells) != 1 {
		t.Fatalf("ps --json: %v, %d cells", err, len(list.Cells))
	}
	return list.Cells[0]
}

func has(t *testing.T, what string, s said, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(s.out+s.err, text) {
			t.Errorf("%s has no %q:\n%s%s", what, text, s.out, s.err)
		}
	}
}

// The life of a cell by its verbs: what each says of it, and what each leaves it as.
func TestVerbsOfALiveCell(t *testing.T) {
	dir := live(t)
	skepIn(t, dir, "up", "web").want(t, fault.OK)
	has(t, "up again", skepIn(t, dir, "up", "web").want(t, fault.OK), "web is already running")
	has(t, "ps", skepIn(t, dir, "ps").want(t, fault.OK), "web", "running", "tcg")
	has(t, "show", skepIn(t, dir, "show", "web").want(t, fault.OK), "running", "hypervisor", "layer")
	has(t, "show --json", skepIn(t, dir, "show", "--json", "web").want(t, fault.OK), `"state": "running"`, `"layers"`)
	has(t, "audit", skepIn(t, dir, "audit", "web"), "capsicum", "seen,")
	has(t, "audit --json", skepIn(t, dir, "audit", "--json", "web"), `"verdict": "seen"`)
	has(t, "screenshot", skepIn(t, dir, "screenshot", "web").want(t, fault.Input), "screen")
	has(t, "rm", skepIn(t, dir, "rm", "web"), "running")

	skepIn(t, dir, "pause", "web").want(t, fault.OK)
	if c := state(t, dir, "web"); c.State != "paused" || c.Suspended == "" {
		t.Errorf("paused: %s, by %q", c.State, c.Suspended)
	}
	skepIn(t, dir, "resume", "--all").want(t, fault.OK)
	if c := state(t, dir, "web"); c.State != "running" || c.Suspended != "" {
		t.Errorf("resumed: %s, by %q", c.State, c.Suspended)
	}
	has(t, "console", skepIn(t, dir, "console", "web").want(t, fault.OK), "hello from")
	has(t, "log", skepIn(t, dir, "log", "web").want(t, fault.OK), "hello from")

	before := state(t, dir, "web")
	skepIn(t, dir, "restart", "web").want(t, fault.OK)
	if now := state(t, dir, "web"); now.State != "running" || now.PID == before.PID {
		t.Errorf("restarted: %s, process %d and was %d", now.State, now.PID, before.PID)
	}
	skepIn(t, dir, "down", "web").want(t, fault.OK)
	has(t, "ps -a", skepIn(t, dir, "ps", "-a").want(t, fault.OK), "stopped")
	has(t, "pause of none", skepIn(t, dir, "pause", "web").want(t, fault.Host), "it is not running")
	has(t, "audit of none", skepIn(t, dir, "audit", "web").want(t, fault.Host), "not running")
	skepIn(t, dir, "rm", "web").want(t, fault.OK)
	skepIn(t, dir, "sweep").want(t, fault.OK)
}

// A guest whose keeper has died: ps only says so, adopt keeps it, and the tar for a bug report has both keepers'
// stacks. One whose hypervisor has gone as well is swept.
func TestAdoptAndSweep(t *testing.T) {
	dir := live(t)
	skepIn(t, dir, "up", "web").want(t, fault.OK)
	orphan := func() cellJSON {
		c := state(t, dir, "web")
		if err := syscall.Kill(c.KeeperPID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for range 200 {
			if process.Gone(c.KeeperPID) && state(t, dir, "web").KeeperPID == 0 {
				return c
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Fatal("its keeper lives")
		return c
	}
	before := orphan()
	has(t, "ps", skepIn(t, dir, "ps").want(t, fault.OK), "its keeper has died; skep adopt web keeps it")
	if c := state(t, dir, "web"); c.State != "running" || c.PID != before.PID || c.KeeperPID != 0 {
		t.Errorf("ps has changed it: %+v", c)
	}
	has(t, "adopt", skepIn(t, dir, "adopt", "--all").want(t, fault.OK), "the keeper of web has died; another one adopts it")
	if c := state(t, dir, "web"); c.State != "running" || c.PID != before.PID || c.KeeperPID == 0 {
		t.Errorf("adopted: %+v", c)
	}
	has(t, "adopt again", skepIn(t, dir, "adopt", "web").want(t, fault.OK), "web has a keeper")
	out := filepath.Join(dir, "web.tar")
	skepIn(t, dir, "debug", "-o", out, "web").want(t, fault.OK)
	if b, err := os.ReadFile(out); err != nil || !strings.Contains(string(b), "keeper.(*Keeper)") || strings.Contains(string(b), "hello from") {
		t.Errorf("the tar: %v", err)
	}
	before = orphan()
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if state(t, dir, "web").State == "crashed" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	has(t, "ps", skepIn(t, dir, "ps").want(t, fault.OK), "crashed", "skep sweep releases what it held")
	has(t, "sweep", skepIn(t, dir, "sweep", "--json").want(t, fault.OK), "web")
	has(t, "adopt of none", skepIn(t, dir, "adopt", "web").want(t, fault.Host), "it is not running")
	if left, _ := os.ReadDir(filepath.Join(dir, "run/cells")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// In the foreground what is piped in is typed, the guest's end is the command's, and its status says how.
func TestRunInTheForeground(t *testing.T) {
	dir := live(t)
	runs := func(typed string) said {
		var out, err strings.Builder
		args := []string{"--config-dir", dir + "/etc", "--state-dir", dir + "/state", "--run-dir", dir + "/run", "run", "web"}
		code := Main(context.Background(), args, Streams{In: strings.NewReader(typed), Out: &out, Err: &err})
		return said{fault.Code(code), out.String(), err.String()}
	}
	has(t, "run", runs("q").want(t, fault.OK), "jailed as uid", "hello from", "power off")
	if s := runs("t"); s.code != fault.GuestDied {
		t.Errorf("a triple fault ends with %d\n%s%s", s.code, s.out, s.err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "run/cells")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// What this host is can be written down and planned for.
func TestDoctorAndPlanHost(t *testing.T) {
	dir := live(t)
	s := skepIn(t, dir, "doctor", "--json").want(t, fault.OK)
	write(t, dir+"/facts.json", s.out)
	has(t, "plan", skepIn(t, dir, "plan", "--host", dir+"/facts.json", "web").want(t, fault.OK), "qemu-system")
	has(t, "check", skepIn(t, dir, "check", "--host", "web").want(t, fault.OK), "")
	has(t, "plan --json", skepIn(t, dir, "plan", "--json", "web").want(t, fault.OK), `"kind": "hypervisor"`)
	has(t, "explain", skepIn(t, dir, "explain", "web").want(t, fault.OK), "hypervisor")
}
