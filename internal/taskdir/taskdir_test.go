package taskdir

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skep/internal/fault"
	"skep/internal/host"
)

func job(id string) *host.Job { return &host.Job{System: "slurm", ID: id} }

// One runs a task at a time, its directory is there whole or not at all, and what was published is not done again
// by the same job and not overwritten by another.
func TestClaim(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	first, err := Claim(dir, "lab-7", job("7"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Claim(dir, "lab-7", job("7")); fault.CodeOf(err) != fault.Busy || !strings.Contains(err.Error(), "process") {
		t.Errorf("two run it at once: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "lab-7")); err == nil {
		t.Error("it is there before it is whole")
	}
	if err := first.Root.WriteFile("console.log", []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first.Drop() // as if it had been killed: but for what the kernel does not do
	if err := os.Mkdir(filepath.Join(dir, ".lab-7.part"), 0o700); err != nil {
		t.Fatal(err)
	}
	again, err := Claim(dir, "lab-7", job("7"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Root.Stat("console.log"); err == nil {
		t.Error("what an earlier try was filling is still there")
	}
	now := time.Now()
	if err := again.Publish(Outcome{Job: job("7"), Began: now, Ended: now.Add(time.Second), End: "powered-off"}); err != nil {
		t.Fatal(err)
	}
	again.Drop()
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := Claim(dir, "lab-7", job("7")); !errors.Is(err, ErrDone) {
		t.Errorf("it runs again: %v", err)
	}
	for _, other := range []*host.Job{nil, {}, job("8")} {
		if _, err := Claim(dir, "lab-7", other); fault.CodeOf(err) != fault.Input {
			t.Errorf("another job writes over it: %v", err)
		}
	}
	all, wrong, err := Outcomes(dir)
	if err != nil || len(wrong) > 0 || len(all) != 1 || all[0].Name != "lab-7" || all[0].End != "powered-off" || all[0].Node == "" {
		t.Errorf("%+v, %v, %v", all, wrong, err)
	}
}

func TestClaimRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, file + "/below", filepath.Join(t.TempDir(), strings.Repeat("x", 1000))} {
		if _, err := Claim(dir, "x", nil); fault.CodeOf(err) != fault.Input {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func outcomes() (all []Outcome) {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, end := range []string{"powered-off", "stopped", "crashed"} {
		all = append(all, Outcome{Name: "lab@" + string(rune('1'+i)), Node: "n<1>", Began: begin.Add(time.Duration(i) * time.Second),
			Ended: begin.Add(time.Duration(2*i+2) * time.Second), Status: []int{0, 6, 3}[i], End: end, Files: i, Reason: "so\x1b[31m"})
	}
	return all
}

// What is not skep's in such a directory is said and keeps nothing else from being read.
func TestOutcomesOfAnything(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"lab@10": `{"version":1}`, "lab@9": `{"version":1}`, "old": `{"version":7}`, "torn": `{"ver`} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, OutcomeFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	all, wrong, err := Outcomes(dir)
	if err != nil || len(all) != 2 || all[0].Name != "lab@9" || all[1].Name != "lab@10" || len(wrong) != 3 {
		t.Errorf("%+v, %q, %v", all, wrong, err)
	}
}

func TestSummary(t *testing.T) {
	var table, picture bytes.Buffer
	if err := Table(&table, outcomes()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"lab@2", "3 tasks in 6s: 1 crashed, 1 powered-off, 1 stopped; half of them took 3s or less, the longest 4s"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("%q is not in\n%s", want, table.String())
		}
	}
	if strings.Contains(table.String(), "\x1b") {
		t.Error("a reason reaches the terminal as it is")
	}
	if err := SVG(&picture, outcomes()); err != nil {
		t.Fatal(err)
	}
	bars := 0
	d := xml.NewDecoder(bytes.NewReader(picture.Bytes()))
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, picture.String())
		}
		if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "title" {
			bars++
		}
	}
	if bars != 3 {
		t.Errorf("%d bars\n%s", bars, picture.String())
	}
	if err := SVG(io.Discard, nil); err != nil {
		t.Error(err)
	}
}

// A task that was stopped is run again by the same job, and its outcome replaced.
func TestStoppedIsReplaced(t *testing.T) {
	dir := t.TempDir()
	for _, status := range []int{int(fault.Stopped), 0} {
		task, err := Claim(dir, "lab", job("7"))
		if err != nil {
			t.Fatal(err)
		}
		if err := task.Publish(Outcome{Job: job("7"), Status: status}); err != nil {
			t.Fatal(err)
		}
		task.Drop()
		if all, wrong, err := Outcomes(dir); err != nil || len(all) != 1 || len(wrong) != 0 || all[0].Status != status {
			t.Errorf("%+v, %v, %v", all, wrong, err)
		}
	}
	if _, err := Claim(dir, "lab", job("7")); !errors.Is(err, ErrDone) {
		t.Errorf("it runs again: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
