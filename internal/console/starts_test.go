package console

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skep/internal/layout"
)

// Each start has its line, with its time; a guest that writes the like of one
// marks nothing.
func TestStarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.log")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	first := time.Date(2026, 11, 30, 9, 13, 13, 0, time.UTC)
	mark := func(at time.Time) {
		t.Helper()
		if err := MarkStart(f, at); err != nil {
			t.Fatal(err)
		}
	}
	mark(first)
	fmt.Fprintf(f, "one\n"+markFormat, "2020-01-01T00:00:00Z", "0123456789abcdef")
	fmt.Fprint(f, "no newline at the end")
	mark(first.Add(time.Hour))
	fmt.Fprint(f, "two\n")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	starts, err := Starts(path)
	if err != nil || len(starts) != 2 {
		t.Fatalf("%v, %v in:\n%s", starts, err, b)
	}
	if starts[0].Offset != 0 || !starts[0].At.Equal(first) || !starts[1].At.Equal(first.Add(time.Hour)) {
		t.Errorf("%v", starts)
	}
	if rest := string(b[starts[1].Offset:]); !strings.HasPrefix(rest, "[skep: started 2026-11-30T10:13:13Z ") || !strings.HasSuffix(rest, "]\ntwo\n") {
		t.Errorf("%q", rest)
	}
	// A guest that has seen its own line may repeat it: the first one counts.
	fmt.Fprint(f, strings.SplitAfter(string(b[starts[1].Offset:]), "\n")[0])
	if again, err := Starts(path); err != nil || len(again) != 2 || again[1] != starts[1] {
		t.Errorf("%v, %v", again, err)
	}
	for range maxStarts + 10 {
		mark(first)
	}
	if b, err := os.ReadFile(layout.Starts(path)); err != nil || strings.Count(string(b), "\n") != maxStarts {
		t.Errorf("%d, %v", strings.Count(string(b), "\n"), err)
	}
	// A log of an older skep has no starts.
	if s, err := Starts(filepath.Join(t.TempDir(), "console.log")); s != nil || err != nil {
		t.Error(s, err)
	}
}

func TestTailLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.log")
	long := strings.Repeat("x", 100<<10)
	text := "a\n" + long + "\nb\nc\n"
	for _, end := range []string{"", "d"} {
		if err := os.WriteFile(path, []byte(text+end), 0o600); err != nil {
			t.Fatal(err)
		}
		for n, want := range map[int]string{0: "", 1: "c\n", 2: "b\nc\n", 3: long + "\nb\nc\n", 4: text, 9: text} {
			want += end
			if end != "" && n > 0 {
				want = map[int]string{1: "d", 2: "c\nd", 3: "b\nc\nd", 4: long + "\nb\nc\nd", 9: text + "d"}[n]
			}
			if n == 0 {
				want = ""
			}
			at, err := TailLines(path, n)
			if got := (text + end)[at:]; err != nil || got != want {
				t.Errorf("the last %d of …%q: %d bytes, %v; want %d", n, end, len(got), err, len(want))
			}
		}
	}
}
