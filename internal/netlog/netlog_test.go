package netlog

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// The record is bounded, whole lines only, and goes on after a line that was cut off.
func TestBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	const most = 16 << 10
	for range 3 {
		l, err := New("lan", open(t, path), open(t, path+".1"), most)
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			l.Write(Line{Kind: TCP, First: First([]byte("\x1b]0;title\x07 \"quoted\" \\ \xff"))})
		}
		f := open(t, path)
		info, _ := f.Stat()
		_, _ = f.WriteAt([]byte(`{"v":1,"ti`), info.Size())
	}
	if _, err := New("lan", open(t, path), open(t, path+".1"), most); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + ".1"} {
		b, err := os.ReadFile(p)
		if err != nil || len(b) > most || len(b) == 0 {
			t.Fatalf("%s: %d bytes, %v", p, len(b), err)
		}
		for text := range strings.Lines(string(b)) {
			var line Line
			if err := json.Unmarshal([]byte(text), &line); err != nil || line.NIC != "lan" || strings.ContainsAny(line.First, "\x1b\x07") {
				t.Fatalf("%q: %v", text, err)
			}
		}
	}
}

// A flood is counted.
func TestFlood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := New("lan", open(t, path), open(t, path+".1"), 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	for l.lost == 0 {
		l.Write(Line{Kind: UDP})
	}
	l.second-- // the next second
	l.Write(Line{Kind: UDP})
	b, _ := os.ReadFile(path)
	if !strings.Contains(string(b), `"kind":"lost"`) {
		t.Error("what was lost is not counted")
	}
}
