package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"skep/guest/hello"
)

// anEvent is what programs are promised of an event.
type anEvent struct {
	Version                  int
	Seq                      uint64
	Cell, Run, Kind          string
	State, Reason, Who, Prev string
	Status                   *int
}

// events are those of a cell, and each but the first has the sum of the one before.
func (l *lab) events(name string) (all []anEvent) {
	l.t.Helper()
	last := ""
	in := bufio.NewScanner(strings.NewReader(l.must(0, "events", "--json", name).out))
	for in.Scan() {
		var e anEvent
		if err := json.Unmarshal(in.Bytes(), &e); err != nil || e.Version != 1 || e.Cell != name {
			l.t.Fatalf("%s: %v", in.Bytes(), err)
		}
		if e.Prev != last {
			l.t.Errorf("event %d does not follow the one before", e.Seq)
		}
		sum := sha256.Sum256(in.Bytes())
		last = hex.EncodeToString(sum[:])
		all = append(all, e)
	}
	return all
}

// What happens to a cell is told in order: to who asks, to who follows, and to the program of on_event.
func TestEvents(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	out := l.path("told")
	script := "#!/bin/sh\nread line\necho \"$line $SKEP_CELL $(pwd) $(env | wc -l)\" >> " + out + "\n"
	if err := os.WriteFile(l.path("told.sh"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	l.cell("web", "accel = \"tcg\"\non_event = \""+l.path("told.sh")+"\"\nscreen {}")
	l.must(0, "up", "web")
	v := l.live("events", "-f", "web")
	v.expect(slow, "web running")
	c := l.live("console", "web")
	c.expect(slow, hello.Commands)
	c.send("r")
	v.expect(slow, "web reset")
	l.must(0, "down", "web")
	v.expect(slow, "end with status 6: the guest powered off, asked by skep down")
	_ = v.cmd.Process.Signal(os.Interrupt)
	v.ends(slow, 0)

	var kinds []string
	all := l.events("web")
	for _, e := range all {
		kinds = append(kinds, strings.TrimSpace(e.Kind+" "+e.State))
		if e.Run == "" || e.Run != all[0].Run {
			t.Errorf("event %d is of the run %q", e.Seq, e.Run)
		}
	}
	for _, want := range []string{"begin", "state starting", "state running", "reset", "command", "state stopping", "end stopped"} {
		i := slices.Index(kinds, want)
		if i < 0 {
			t.Fatalf("no %q in %q", want, kinds)
		}
		kinds = kinds[i:]
	}
	told, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(told, []byte("\n")); n != len(all) || !bytes.Contains(told, []byte(`"kind":"end"`)) || !bytes.Contains(told, []byte("} web / ")) {
		t.Errorf("%d events, and the program was told:\n%s", len(all), told)
	}
	// Another run goes on with the chain.
	l.typed("q", "run", "-q", "web")
	if again := l.events("web"); len(again) <= len(all) || again[len(again)-1].Run == all[0].Run {
		t.Errorf("%d events after another run, %d before", len(again), len(all))
	}
	l.nothingLeft()
}
