package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func open(t *testing.T, dir string, told func([]byte)) *Journal {
	t.Helper()
	j, err := OpenJournal(filepath.Join(dir, "e"), filepath.Join(dir, "e.1"), "web", "r1", told)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func add(t *testing.T, j *Journal, reason string) {
	t.Helper()
	if err := j.Append(Event{Kind: Note, Reason: reason}); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The chain goes on over keepers that end and over one that dies in the middle of a line.
func TestChain(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		j := open(t, dir, nil)
		add(t, j, "one")
		add(t, j, "two")
		j.Close()
	}
	path := filepath.Join(dir, "e")
	f, _ := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	f.WriteString(`{"version":1,"seq":7,"ki`)
	f.Close()
	j := open(t, dir, nil)
	add(t, j, "after")
	j.Close()
	b := read(t, path)
	last, lines, err := Verify(bytes.NewReader(b), "")
	if err != nil || lines != 9 || last == "" {
		t.Fatal(last, lines, err)
	}
	r := NewReader("web", path, path+".1", func() []string { return nil })
	all, err := r.Next()
	if err != nil || len(all) != 8 {
		t.Fatal(len(all), err)
	}
	if e := all[6]; e.Kind != Torn || all[7].Seq != e.Seq+1 {
		t.Errorf("after the torn line: %+v, %+v", e, all[7])
	}
}

// Every byte that is changed is found, and the line that it is in is named, but in the last line, whose sum
// is told by who verifies.
func TestVerifyFindsEachByte(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, nil)
	for _, s := range []string{"a", "b", "c"} {
		add(t, j, s)
	}
	j.Close()
	b := read(t, filepath.Join(dir, "e"))
	whole, _, err := Verify(bytes.NewReader(b), "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		changed := bytes.Clone(b)
		changed[i] ^= 1
		last, _, err := Verify(bytes.NewReader(changed), "")
		if err == nil && last == whole {
			t.Fatalf("byte %d, %q, is changed, and nothing is found", i, b[i])
		}
		var broken *BrokenError
		in := bytes.Count(b[:i], []byte("\n")) + 1
		if err != nil && (!errors.As(err, &broken) || broken.Line < in-1 || broken.Line > in+1) {
			t.Fatalf("byte %d is in line %d: %v", i, in, err)
		}
	}
	lines := bytes.SplitAfter(b, []byte("\n"))
	var broken *BrokenError
	if _, _, err := Verify(bytes.NewReader(bytes.Join([][]byte{lines[0], lines[2]}, nil)), ""); !errors.As(err, &broken) {
		t.Errorf("a line is left out: %v", err)
	}
}

// Of any number of events a bounded part is kept, the newest, still as a chain; a reader that follows
// misses none.
func TestTurn(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, nil)
	j.max = 4 << 10
	path := filepath.Join(dir, "e")
	r := NewReader("web", path, path+".1", func() []string { return nil })
	seen := uint64(0)
	for i := range 200 {
		add(t, j, strings.Repeat("x", 50))
		if i%7 > 0 {
			continue
		}
		some, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range some {
			if seen++; e.Seq != seen {
				t.Fatalf("event %d comes after %d", e.Seq, seen-1)
			}
		}
	}
	old, now := read(t, path+".1"), read(t, path)
	if len(old)+len(now) > 3*(4<<10) {
		t.Errorf("%d and %d bytes are kept", len(old), len(now))
	}
	last, _, err := Verify(bytes.NewReader(old), "")
	if err == nil {
		_, _, err = Verify(bytes.NewReader(now), last)
	}
	if err != nil {
		t.Error(err)
	}
	// A keeper died after it had turned the file and before it had written.
	os.Rename(path, path+".1")
	again := open(t, dir, nil)
	add(t, again, "again")
	last, _, _ = Verify(bytes.NewReader(read(t, path+".1")), "")
	if _, _, err := Verify(bytes.NewReader(read(t, path)), last); err != nil {
		t.Error(err)
	}
}

// What a network saw is among the events by its time, and what a guest wrote there is data.
func TestNetworkEvents(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, nil)
	add(t, j, "before")
	line := `{"v":1,"time":"` + time.Now().UTC().Format(time.RFC3339Nano) + `","nic":"lan","kind":"dns","type":"A","name":"x.example","answer":"198.18.0.9"}`
	hostile := `{"v":1,"time":"not a time"}` + "\n" + strings.Repeat("[", 100) + "\n"
	if err := os.WriteFile(filepath.Join(dir, "network.jsonl"), []byte(hostile+line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	add(t, j, "after")
	path := filepath.Join(dir, "e")
	all, err := NewReader("web", path, path+".1", func() []string { return NetworkRecords(dir) }).Next()
	if err != nil || len(all) != 3 || all[1].Kind != Network {
		t.Fatal(all, err)
	}
	if got := all[1].String(); got != "network lan dns A x.example answered 198.18.0.9" {
		t.Error(got)
	}
}

// Somebody who is told of events can be told how many were missed.
func TestTold(t *testing.T) {
	var lines [][]byte
	j := open(t, t.TempDir(), func(b []byte) { lines = append(lines, bytes.Clone(b)) })
	add(t, j, strings.Repeat("ü", 5000))
	var e Event
	if err := json.Unmarshal(WithMissed(lines[0], 3), &e); err != nil || e.Missed != 3 || len(e.Reason) > maxText+8 {
		t.Errorf("%+v, %v", e, err)
	}
	if e.String() == "" || j.Close() != nil || j.Append(e) == nil {
		t.Error("a closed journal is written to")
	}
}
