package console

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A log that is cut while it is followed goes on where it was: no line comes twice, and none that is still
// there is left out.
func TestPrintOverACut(t *testing.T) {
	for name, cut := range map[string]func(path string, size int64) error{
		"cut":          func(path string, size int64) error { return Trim(path, size-1) },
		"cut and more": func(path string, size int64) error { return appendTo(path, Trim(path, size-1), lines(1000, 1900)) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(path, []byte(lines(0, 900)), 0o600); err != nil {
				t.Fatal(err)
			}
			log, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			var out bytes.Buffer
			looks := 0
			err = Print(&out, log, 0, func() bool {
				looks++
				var err error
				switch looks {
				case 1:
					err = appendTo(path, nil, lines(900, 1000))
				case 2:
					info, _ := os.Stat(path)
					err = cut(path, info.Size())
				case 3:
					err = appendTo(path, nil, lines(1900, 2000))
				default:
					return false
				}
				if err != nil {
					t.Error(err)
				}
				return true
			})
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]int{}
			for line := range strings.Lines(out.String()) {
				seen[line]++
			}
			for line, n := range seen {
				if n > 1 {
					t.Errorf("%q came %d times", line, n)
				}
			}
			for _, want := range []string{lines(0, 1), lines(999, 1000), lines(1999, 2000)} {
				if seen[want] == 0 {
					t.Errorf("%q did not come", want)
				}
			}
		})
	}
}

func appendTo(path string, before error, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil || before != nil {
		return fmt.Errorf("%w %w", before, err)
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}

func lines(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "line %d of the guest\n", i)
	}
	return b.String()
}

func TestHarmless(t *testing.T) {
	var out bytes.Buffer
	h := &Harmless{W: &out}
	for _, p := range []string{"a\tb\nä€😀", "\x1b[2J\x07\x7f", "\xc2", "\x9b", "x\x9by\r"} {
		if n, err := h.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	if want := "a\tb\nä€😀?[2J??\xc2?x?y?"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
