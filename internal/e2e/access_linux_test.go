package e2e

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// Users whom the cell file gives access do what it says by skep as themselves, and nothing else; everybody else is
// refused.
func TestAccess(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	const analyst, operator, looker, stranger = 61001, 61002, 61003, 61004
	l.cell("lab", `screen {}
access {
  users = ["61001"]
  may   = ["console", "read"]
}
access {
  groups = ["61050"]
  may    = ["power"]
}
access {
  users = ["61003"]
  may   = ["screen"]
}`)
	l.cell("other", `access {
  users = ["61003"]
  may   = ["read"]
}`)
	l.must(0, "up", "lab", "other")
	a, o := l.person(analyst), l.person(operator, 61049, 61050)
	s, x := l.person(looker), l.person(stranger, 61001)
	type try struct {
		who  person
		args string
		want string // of what is printed; of a refusal where it begins so
	}
	const no = "cannot "
	for _, y := range []try{
		{a, "console lab", "hello from a guest"}, {a, "log lab", "hello from a guest"}, {a, "show lab", "root; you may console, read"}, {a, "ps", "lab"},
		{a, "down lab", no + "stop lab"}, {a, "kill lab", no + "kill lab"}, {a, "pause lab", no + "pause lab"},
		{a, "screenshot -o - lab", no + "take a screenshot of lab"}, {a, "type lab x", no + "use the keyboard of lab"},
		{a, "audit lab", no + "do that with lab"}, {a, "stats lab", no + "do that with lab"},
		{o, "ps", "you may power"}, {o, "pause lab", ""}, {o, "resume lab", ""},
		{o, "console lab", no + "join the console of lab"}, {o, "log lab", no + "read the log of lab"},
		{o, "show lab", no + "show lab"}, {o, "screenshot -o - lab", no + "take a screenshot of lab"},
		{s, "screenshot -o - lab", "PNG"}, {s, "key lab a", ""}, {s, "ps", "other"},
		{s, "console lab", no + "join the console of lab"}, {s, "down lab", no + "stop lab"},
		{s, "down other", no + "stop other"}, {s, "show other", "root; you may read"},
		{x, "console lab", no + "reach lab"}, {x, "log lab", no + "reach lab"}, {x, "down lab", no + "reach lab"},
		{x, "screenshot -o - lab", no + "reach lab"}, {x, "show lab", no + "reach lab"}, {x, "audit lab", no + "reach lab"},
		{x, "pause lab", no + "reach lab"}, {x, "console nosuch", no + "find a cell nosuch"},
	} {
		r := y.who.skep("", strings.Fields(y.args)...)
		switch refused := strings.HasPrefix(y.want, no); {
		case refused && (r.code == 0 || !strings.Contains(r.err, "skep: error: "+y.want)):
			t.Errorf("%d: %s: want %q\n%s", y.who.uid, y.args, y.want, r)
		case !refused && (r.code != 0 || !strings.Contains(r.out, y.want)):
			t.Errorf("%d: %s: want %q\n%s", y.who.uid, y.args, y.want, r)
		}
	}
	for who, want := range map[*person]string{&a: "lab", &o: "lab", &s: "lab other", &x: ""} {
		r := who.skep("", "ps", "--json")
		var list struct {
			Cells []struct{ Name, Owner string }
		}
		if err := json.Unmarshal([]byte(r.out), &list); err != nil {
			t.Fatalf("%v\n%s", err, r)
		}
		var names []string
		for _, c := range list.Cells {
			names = append(names, c.Name)
			if c.Owner != "root" {
				t.Errorf("%s is %q's", c.Name, c.Owner)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("ps of %d shows %q, want %q", who.uid, got, want)
		}
	}
	if r := l.must(0, "audit", "lab"); !strings.Contains(r.out, "access.2: group 61050 may power") {
		t.Errorf("the audit does not name the relaxation: %s", r)
	}
	if r := o.skep("", "down", "lab"); r.code != 0 {
		t.Errorf("%s", r)
	}
	if r := l.must(0, "ps", "-a"); !strings.Contains(r.out, "61002") {
		t.Errorf("who stopped it is not said: %s", r)
	}
	l.must(0, "kill", "other")
	l.nothingLeft()
	if _, err := os.Stat(l.path("run-access")); err == nil {
		t.Error("the directory of the sockets is left")
	}
}
