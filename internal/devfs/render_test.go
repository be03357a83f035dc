package devfs

import (
	"reflect"
	"strings"
	"testing"
)

var helloGrants = []Grant{
	{Path: "vmm/hello", Owned: true, UID: 1001},
	{Path: "vmm.io/hello.bootrom", Owned: true, UID: 1001},
	{Path: "nmdm-helloA"},
	{Path: "zvol/tank/a/b"},
	{Path: "zvol/tank/a/c"},
}

func TestCellRules(t *testing.T) {
	rules, err := CellRules(helloGrants)
	if err != nil {
		t.Fatal(err)
	}
	set := &Ruleset{Number: 1000, Name: "skep_hello", Rules: rules}
	want := `[skep_hello=1000]
add 100 hide
add 200 path vmm unhide
add 300 path vmm/hello unhide user 1001 mode 600
add 400 path vmm.io unhide
add 500 path vmm.io/hello.bootrom unhide user 1001 mode 600
add 600 path nmdm-helloA unhide
add 700 path zvol unhide
add 800 path zvol/tank unhide
add 900 path zvol/tank/a unhide
add 1000 path zvol/tank/a/b unhide
add 1100 path zvol/tank/a/c unhide
`
	if got := set.Text(); got != want {
		t.Errorf("text\n%s\nwant\n%s", got, want)
	}
	argvs := Commands(1000, rules)
	if got := strings.Join(argvs[0], " "); got != "devfs rule -s 1000 delset" {
		t.Error(got)
	}
	if got := strings.Join(argvs[3], " "); got != "devfs rule -s 1000 add 300 path vmm/hello unhide user 1001 mode 600" {
		t.Error(got)
	}

	// On a host full of nodes they show exactly what was granted, at any depth.
	host := append(TypicalNodes(), Node{Path: "vmm/hello2"}, Node{Path: "nmdm-helloAA"}, Node{Path: "nmdm-helloB"})
	for _, g := range helloGrants {
		host = append(host, Node{Path: g.Path})
	}
	for depth := range 3 {
		seen := names(t, Rulesets{1000: set}, 1000, depth, host)
		if d := Compare(seen, Planned(helloGrants)); !d.Same() {
			t.Errorf("depth %d: %+v", depth, d)
		}
	}
}

func TestCellRulesRefuse(t *testing.T) {
	for _, bad := range []string{"", "/vmm", "../mem", "vmm//x", "vmm/", "a\nb", "./x", strings.Repeat("x", 200)} {
		if _, err := CellRules([]Grant{{Path: bad}}); err == nil {
			t.Errorf("%q was granted", bad)
		}
	}
	if _, err := CellRules([]Grant{{Path: "tap0"}, {Path: "tap0", Owned: true}}); err == nil {
		t.Error("tap0 was granted twice")
	}
}

// A name with a glob in it shows itself only.
func FuzzCellRules(f *testing.F) {
	f.Add("tap*", "tap0")
	f.Add("zvol/a b/[c]", "zvol/a b/c")
	f.Add(`x\`, "x")
	f.Fuzz(func(t *testing.T, grant, other string) {
		rules, err := CellRules([]Grant{{Path: grant}})
		if err != nil || checkNode(other) != nil {
			return
		}
		l := new(Loader)
		l.Load("f", (&Ruleset{Number: 5, Name: "cell", Rules: rules}).Text())
		seen := names(t, l.Sets, 5, 1, []Node{{Path: grant}, {Path: other}})
		planned := Planned([]Grant{{Path: grant}})
		if len(without(planned, seen)) > 0 || len(without(seen, planned)) > 0 {
			t.Errorf("granted %q, shown %q of %q; problems %v", planned, seen, other, l.Problems)
		}
	})
}

func TestCompare(t *testing.T) {
	got := Compare([]string{"vmm", "mem", "null", "mem"}, []string{"vmm", "vmm/a", "null"})
	if want := (Difference{Missing: []string{"vmm/a"}, Extra: []string{"mem"}}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
