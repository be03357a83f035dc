package cli

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"skep/internal/fault"

	"skep/internal/store"
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
	if got := names("-a"); got != "a b" {
		t.Error(got)
	}
	if got := names(); got != "" {
		t.Errorf("by default cells that are stopped are left out: %s", got)
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
	skepIn(t, dir, "ps", "--boot", "a").want(t, fault.Input, "--boot cannot be combined with names")
	// No cells at all: every one of them runs.
	skep(t, "ps", "--boot", "--running").want(t, fault.OK)
	// A file that nobody can read may be one that should run.
	write(t, cells+"/bad.hcl", "cell {}\n")
	skepIn(t, dir, "ps", "--boot", "--running").want(t, fault.Input, "bad.hcl:1:")
}

// Names are in the order that people count in.
func TestPsOrder(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"web10", "web2", "web1", "a", "web02"} {
		write(t, dir+"/etc/cells/"+n+".hcl", "cell \""+n+"\" {}\n")
	}
	s := skepIn(t, dir, "ps", "-aq").want(t, fault.OK)
	if got := strings.Join(strings.Fields(s.out), " "); got != "a web1 web2 web02 web10" {
		t.Error(got)
	}
}

// A cell whose file has a mistake is listed without being asked for, with the
// mistake and its place.
func TestPsFileWithMistake(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/etc/cells/web.hcl", "cell \"web\" {\n  cpuz = 2\n}\n")
	write(t, dir+"/etc/cells/torn.hcl", "cell \"torn\" {\n")
	s := skepIn(t, dir, "ps").want(t, fault.OK)
	for _, want := range []string{"\nweb ", "\ntorn ", "invalid", "web.hcl:2:3: "} {
		if !strings.Contains(s.out, want) {
			t.Errorf("%q is not in:\n%s", want, s.out)
		}
	}
	j := skepIn(t, dir, "ps", "--json").want(t, fault.OK)
	if !strings.Contains(j.out, `"state": "stopped"`) || !strings.Contains(j.out, `web.hcl:2:3: `) {
		t.Error(j.out)
	}
}

// The table fits the terminal: what is missed least goes first, and the reason
// is cut.
func TestPsWidth(t *testing.T) {
	cells := []cellJSON{
		{Name: "web", State: "running", PID: 4466, UID: 2100000723, GID: 1, Accel: "kvm"},
		{Name: "a-name-of-thirty-two-characters-", State: "held", UID: -1, Reason: strings.Repeat("held: it reset too often, ", 8)},
	}
	if a, b := uidText(cellJSON{UID: 0}), uidText(cellJSON{UID: -1}); a != "0" || b != "-" {
		t.Errorf("root is shown as %q, nobody as %q", a, b)
	}
	for _, width := range []int{60, 80, 100, 200} {
		lines := psLines(cells, width)
		for _, line := range lines {
			if n := utf8.RuneCountInString(line); n > max(width, 46) {
				t.Errorf("%d columns: %d in %q", width, n, line)
			}
		}
		if !strings.HasPrefix(lines[0], "NAME") || !strings.Contains(lines[1], "running") {
			t.Errorf("%d columns: %q", width, lines)
		}
	}
	if lines := psLines(cells, 80); !strings.HasSuffix(lines[2], "…") || strings.Contains(lines[0], "UID") || !strings.Contains(lines[0], "REASON") {
		t.Errorf("%q", lines)
	}
	if lines := psLines(cells, 0); strings.Contains(lines[2], "…") || !strings.Contains(lines[0], "UID") {
		t.Errorf("where there is no terminal nothing is cut: %q", lines)
	}
}

// A cell that has never had a hypervisor was executed by none.
func TestAccelOfWhatNeverStarted(t *testing.T) {
	failed := store.State{Name: "web", State: store.Stopped, Accel: "kvm"}
	if c := asJSON(failed, false); c.Accel != "" {
		t.Errorf("accel %q of a cell that never started", c.Accel)
	}
	failed.PIDStart, failed.End = 1, "power-off"
	if c := asJSON(failed, false); c.Accel != "kvm" || accelText(c) != "" {
		t.Errorf("accel %q, %q of a cell that has ended", c.Accel, accelText(c))
	}
}
