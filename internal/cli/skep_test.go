package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/fault"
)

// said is what one command line came to.
type said struct {
	code     fault.Code
	out, err string
}

// skep runs a command line in a configuration of its own.
func skep(t *testing.T, args ...string) said {
	t.Helper()
	return skepIn(t, t.TempDir(), args...)
}

// skepIn is skep with the directories of an earlier command line.
func skepIn(t *testing.T, dir string, args ...string) said {
	t.Helper()
	var out, err strings.Builder
	args = append([]string{"--config-dir", filepath.Join(dir, "etc"), "--state-dir", filepath.Join(dir, "state"), "--run-dir", filepath.Join(dir, "run")}, args...)
	code := Main(context.Background(), args, Streams{In: strings.NewReader(""), Out: &out, Err: &err})
	return said{fault.Code(code), out.String(), err.String()}
}

// want checks the status, and that standard error has each of these texts, or
// with a "!" in front has it not.
func (s said) want(t *testing.T, code fault.Code, texts ...string) said {
	t.Helper()
	if s.code != code {
		t.Errorf("status %d, want %d\n%s%s", s.code, code, s.out, s.err)
	}
	for _, w := range texts {
		if no, negative := strings.CutPrefix(w, "!"); strings.Contains(s.err, no) == negative {
			t.Errorf("%q, in:\n%s", w, s.err)
		}
	}
	return s
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
