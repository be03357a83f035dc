package e2e

import (
	"strings"
	"testing"
)

// A cell has stubs in the place of libraries that it does not reach, and no more code than its plan says; and the
// libraries where somebody says that there are to be no stubs.
func TestStubs(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("h", "accel = \"tcg\"")
	const at = "/stubs/"
	for _, c := range []struct {
		stubs string
		want  bool
	}{{"no", false}, {"", true}} {
		l.env = append(l.env, "SKEP_STUBS="+c.stubs)
		if r := l.must(0, "plan", "--json", "h"); strings.Contains(r.out, at) != c.want {
			t.Fatalf("SKEP_STUBS=%q, and stubs in the plan are %v: %s", c.stubs, !c.want, r)
		}
	}
	l.must(0, "up", "h")
	l.console("h").expect(slow, "hello from a guest")
	if v := l.audit(0, "h").verdict("code"); v != "seen" {
		t.Errorf("the code that is mapped: %s", v)
	}
	l.must(0, "kill", "h")
	l.nothingLeft()
}
