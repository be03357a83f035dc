package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// drilled is the part of drill --json that tests look at.
type drilled struct {
	Version, Attempts, Stopped, Escaped, Skipped int
	Scenes                                       []struct {
		Name                       string
		Attempts, Stopped, Escaped int
	}
	Rows []struct {
		ID, Verdict, How, Phase, Scene string
		Want                           []string
	}
}

func drillReport(t *testing.T, r result) (d drilled) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.out), &d); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	for _, row := range d.Rows {
		if row.Verdict == "escaped" {
			t.Errorf("%s (%s) got out: %s", row.ID, row.Phase, row.How)
		}
		if row.Verdict == "stopped" && !strings.Contains(" "+strings.Join(row.Want, " ")+" ", " "+row.How+" ") {
			t.Logf("%s (%s) is stopped by %s, the table has %s", row.ID, row.Phase, row.How, row.Want)
		}
	}
	if d.Version != 1 || d.Attempts < 60 || d.Attempts != d.Stopped || d.Escaped != 0 || r.code != 0 {
		t.Errorf("exit %d: %d attempts, %d stopped, %d escaped, %d skipped\n%s", r.code, d.Attempts, d.Stopped, d.Escaped, d.Skipped, r.err)
	}
	protocol := 0
	for _, row := range d.Rows {
		if strings.HasPrefix(row.ID, "proto-") && row.Verdict == "stopped" {
			protocol++
		}
	}
	if protocol < 20 || len(d.Scenes) != 2 || d.Scenes[0].Name != "hypervisor" || d.Scenes[1].Name != "worker" {
		t.Errorf("%d attempts against the keeper's protocol, scenes %+v", protocol, d.Scenes)
	}
	for _, s := range d.Scenes {
		if s.Attempts < 60 || s.Attempts != s.Stopped || s.Escaped != 0 {
			t.Errorf("in the %s's place: %+v", s.Name, s)
		}
	}
	return d
}

// An attacker in the built-in guest's cell gets nowhere, in less than a minute, and nothing is
// left of it.
func TestDrill(t *testing.T) {
	needCells(t)
	l := newLab(t)
	began := time.Now()
	drillReport(t, l.skep("drill", "--json"))
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	l.nothingLeft()
}

// A cell with a disk and a screen is drilled as a twin while it runs, and goes on.
func TestDrillOfACellThatRuns(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.write("disk.raw", strings.Repeat("x", 1<<20))
	l.cell("busy", `accel = "tcg"
disk "d" { file = "`+l.path("disk.raw")+`" }
screen {}`)
	l.must(0, "up", "busy")
	before := l.show("busy")
	drillReport(t, l.skep("drill", "--json", "busy"))
	if after := l.show("busy"); after.State != "running" || after.PID != before.PID {
		t.Errorf("the cell itself is %s as %d, was %d", after.State, after.PID, before.PID)
	}
	if b, err := os.ReadFile(l.path("disk.raw")); err != nil || string(b) != strings.Repeat("x", 1<<20) {
		t.Errorf("the cell's own disk was touched (%v)", err)
	}
	l.must(0, "kill", "busy")
	l.nothingLeft()
}

// A cell with a layer: its hypervisor, taken over, writes neither to the base nor beyond the bound of the
// layer, and reads no layer of another cell.
func TestDrillOfALayer(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.layeredCell()
	d := drillReport(t, l.skep("drill", "--json", "layered"))
	seen := map[string]bool{}
	for _, row := range d.Rows {
		if row.Phase == "run" && row.Verdict == "stopped" {
			seen[row.ID] = true
		}
	}
	for _, id := range []string{"base-write", "base-append", "base-discard", "base-map", "base-truncate", "base-chmod", "base-reopen",
		"base-open", "layer-grow", "layer-reserve", "layer-keep", "layer-of-other", "layer-of-other-fd"} {
		if !seen[id] {
			t.Errorf("%s was not tried", id)
		}
	}
	l.nothingLeft()
}

// layeredCell writes the file of a cell that has what the drill tries of layers.
func (l *lab) layeredCell() {
	l.t.Helper()
	base := l.baseImage("base.img", "of the base", 16<<20)
	l.cell("layered", "disk \"root\" {\n  base = \""+base+"\"\n  disposable = true\n}\njail {\n  limits { disk = \"64M\" }\n}")
}

// The same as an ordinary user: nobody, with directories of his own.
func TestDrillAsAnOrdinaryUser(t *testing.T) {
	needCells(t)
	if os.Geteuid() != 0 {
		t.Skip("TestDrill was one already")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "skep-drill-user-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, d := range []string{dir, filepath.Join(dir, "config"), filepath.Join(dir, "state"), filepath.Join(dir, "run")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(d, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), skep, "drill", "--json")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "SKEP_CONFIG_DIR=" + filepath.Join(dir, "config"),
		"SKEP_STATE_DIR=" + filepath.Join(dir, "state"), "SKEP_RUN_DIR=" + filepath.Join(dir, "run")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	r := result{code(t, err), out.String(), errs.String()}
	if strings.Contains(r.err, "user namespace") && r.code != 0 {
		t.Skip(r.err)
	}
	drillReport(t, r)
}
