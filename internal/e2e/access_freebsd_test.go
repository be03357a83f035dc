package e2e

import (
	"strings"
	"testing"
)

// The kernel's word on who asks is LOCAL_PEERCRED here, with sixteen groups.
func TestAccess(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("lab", `access {
  users = ["61001"]
  may   = ["console", "read"]
}
access {
  groups = ["61050"]
  may    = ["power"]
}`)
	l.must(0, "up", "lab")
	a, o, x := l.person(61001), l.person(61002, 61002, 61049, 61050), l.person(61004, 61004, 61001)
	for _, y := range []struct {
		who        person
		args, want string
	}{
		{a, "ps", "you may console, read"}, {a, "console lab", "hello from a guest"}, {a, "show lab", "root; you may console, read"},
		{a, "log lab", "hello from a guest"}, {a, "down lab", "cannot stop lab"},
		{o, "ps", "you may power"}, {o, "log lab", "cannot read the log of lab"}, {o, "console lab", "cannot join the console of lab"},
		{o, "pause lab", ""}, {o, "resume lab", ""},
		{x, "console lab", "cannot reach lab"}, {x, "down lab", "cannot reach lab"}, {x, "log lab", "cannot reach lab"},
	} {
		r := y.who.skep("", strings.Fields(y.args)...)
		if refused := strings.HasPrefix(y.want, "cannot "); (r.code != 0) != refused || !strings.Contains(r.out+r.err, y.want) {
			t.Errorf("%d: %s: want %q\n%s", y.who.uid, y.args, y.want, r)
		}
	}
	if r := x.skep("", "ps"); strings.Contains(r.out, "lab") {
		t.Errorf("ps of a stranger: %s", r)
	}
	if r := l.must(0, "audit", "lab"); !strings.Contains(r.out, "access.2: group 61050 may power") {
		t.Errorf("the audit does not name the relaxation: %s", r)
	}
	if r := o.skep("", "down", "lab"); r.code != 0 {
		t.Errorf("%s", r)
	}
	l.nothingLeft()
}
