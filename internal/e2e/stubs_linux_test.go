package e2e

import (
	"strings"
	"testing"
)

// Who asks for stubs in the place of libraries has a cell with them, which starts and has no more code than its plan says.
func TestStubs(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("h", "accel = \"tcg\"")
	const at = "/stubs/"
	if r := l.must(0, "plan", "--json", "h"); strings.Contains(r.out, at) {
		t.Fatalf("stubs, and nobody has asked for them: %s", r)
	}
	l.env = append(l.env, "SKEP_STUBS=yes")
	if r := l.must(0, "plan", "--json", "h"); !strings.Contains(r.out, at) {
		t.Fatalf("no stub is in the plan: %s", r)
	}
	l.must(0, "up", "h")
	l.console("h").expect(slow, "hello from a guest")
	if v := l.audit(0, "h").verdict("code"); v != "seen" {
		t.Errorf("the code that is mapped: %s", v)
	}
	l.must(0, "kill", "h")
	l.nothingLeft()
}
