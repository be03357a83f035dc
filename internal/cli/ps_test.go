package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/fault"
)

func TestPsChosen(t *testing.T) {
	dir := t.TempDir()
	cells := filepath.Join(dir, "etc/cells")
	write(t, cells+"/a.hcl", "cell \"a\" {\n  start = \"boot\"\n}\n")
	write(t, cells+"/b.hcl", "cell \"b\" {}\n")
	names := func(args ...string) string {
		t.Helper()
		s := skepIn(t, dir, append([]string{"ps", "-q"}, args...)...).want(t, fault.OK)
		return strings.Join(strings.Fields(s.out), " ")
	}
	if got := names(); got != "a b" {
		t.Error(got)
	}
	if got := names("--boot"); got != "a" {
		t.Error(got)
	}
	if got := names("b"); got != "b" {
		t.Error(got)
	}
	// A cell that does not run is listed, and the status says so.
	if s := skepIn(t, dir, "ps", "--boot", "--running").want(t, fault.Host); !strings.Contains(s.out, "\na ") || s.err != "" {
		t.Errorf("%s%s", s.out, s.err)
	}
	skepIn(t, dir, "ps", "--running", "nobody").want(t, fault.Input, "find a cell nobody", "there are: a, b")
	skepIn(t, dir, "ps", "--boot", "a").want(t, fault.Input, "both --boot and names")
	// No cells at all: every one of them runs.
	skep(t, "ps", "--boot", "--running").want(t, fault.OK)
	// A file that nobody can read may be one that should run.
	write(t, cells+"/bad.hcl", "cell {}\n")
	skepIn(t, dir, "ps", "--boot", "--running").want(t, fault.Input, "bad.hcl:1:")
}
