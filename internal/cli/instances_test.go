package cli

import (
	"strings"
	"testing"

	"skep/internal/fault"
)

func TestBraces(t *testing.T) {
	for in, want := range map[string]string{
		"1": "1", "{1..3}": "1 2 3", "{3..1}": "3 2 1", "{08..11}": "08 09 10 11", "{a,b}": "a b",
		"x{1..2}y": "x1y x2y", "{1,b*}": "1 b*", "{7..7}": "7",
		"{1..}": "!not a range", "{a..c}": "!not a range", "{1..2": "!not closed", "{1..2}{3..4}": "!one pair",
		"{1..9999}": "!stands for 9999 cells", "{0..4294967296}": "!not a range", "{-1..2}": "!not a range",
	} {
		got, err := braces(in)
		if why, bad := strings.CutPrefix(want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), why) {
				t.Errorf("%s: %v, %v", in, got, err)
			}
		} else if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
}

// One file is every instance's, by name and by path.
func TestInstanceFile(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir+"/etc/cells/lab.hcl", "cell \"lab\" {\n  nic \"lan\" { tap = \"tap0\" }\n}\n")
	good := write(t, dir+"/other.hcl", "cell \"other\" {}\n")
	skepIn(t, dir, "check", "lab@1").want(t, fault.Input, file+":2:21: cannot start lab@1: a tap has one guest", "nic \"lan\"")
	skepIn(t, dir, "check", "lab").want(t, fault.OK)
	skepIn(t, dir, "check", good+"@7").want(t, fault.OK)
	skepIn(t, dir, "check", good+"@{1..3}").want(t, fault.OK)
	if s := skepIn(t, dir, "plan", "--os", "freebsd", good+"@7").want(t, fault.OK); !strings.Contains(s.out, "skep-other@7") {
		t.Error(s.out)
	}
	skepIn(t, dir, "check", "lab@").want(t, fault.Input, "something must follow the @")
	skepIn(t, dir, "check", "lab@{1..}").want(t, fault.Input, "not a range of numbers")
	skepIn(t, dir, "check", "none@1").want(t, fault.Input, "there is no "+dir+"/etc/cells/none.hcl")
	skepIn(t, dir, "new", "lab@1").want(t, fault.Input, "its file is that of lab")
	skepIn(t, dir, "edit", "lab@1").want(t, fault.Input, "its file is that of lab")
}

// A pattern means the instances that skep knows.
func TestInstancePattern(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/etc/cells/lab.hcl", "cell \"lab\" {}\n")
	for _, n := range []string{"lab", "lab@1", "lab@2", "lab@10", "labs@1"} {
		write(t, dir+"/state/cells/"+n+"/console.log", "")
	}
	if s := skepIn(t, dir, "ps", "-q", "lab@*").want(t, fault.OK); s.out != "lab@1\nlab@2\nlab@10\n" {
		t.Errorf("%q", s.out)
	}
	skepIn(t, dir, "down", "lab@9*").want(t, fault.OK)
	skepIn(t, dir, "down", "nobody@*").want(t, fault.Input, "find a cell nobody@*")
	skepIn(t, dir, "rm", "lab@1*").want(t, fault.OK)
	if s := skepIn(t, dir, "ps", "-aq").want(t, fault.OK); s.out != "lab\nlab@2\nlabs@1\n" {
		t.Errorf("%q", s.out)
	}
}
