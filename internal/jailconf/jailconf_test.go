package jailconf

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// resolve parses a text and prints a jail of it, one parameter a line.
func resolve(t *testing.T, text, jail string) string {
	t.Helper()
	c, err := Parse(Source{"f", text}, nil)
	if err != nil {
		return err.Error()
	}
	j, err := c.Resolve(jail)
	if err != nil {
		return err.Error()
	}
	return show(j)
}

func show(j *Jail) string {
	var b strings.Builder
	for _, p := range j.Params {
		fmt.Fprintf(&b, "%s %q\n", p.Name, p.Values)
	}
	return b.String()
}

func TestFile(t *testing.T) {
	text, err := os.ReadFile("testdata/jail.conf")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(Source{"testdata/jail.conf", string(text)}, FromDisk)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Jails(), " "); got != "bhyve bhyve.child web" {
		t.Errorf("jails: %s", got)
	}
	for jail, want := range map[string]string{
		"bhyve": `name ["bhyve"]
exec.start ["/bin/sh /etc/rc"]
exec.stop ["/bin/sh /etc/rc.shutdown jail"]
exec.clean []
mount.devfs []
path ["/usr/jails/bhyve"]
host.hostname ["bhyve.example.org"]
ip4.addr ["192.0.2.2/24" "198.51.100.7" "198.51.100.8"]
interface ["igb0"]
allow.vmm []
devfs_ruleset ["25"]
exec.timeout ["90"]
`,
		"bhyve.child": `name ["bhyve.child"]
exec.start ["/bin/sh /etc/rc"]
exec.stop ["/bin/sh /etc/rc.shutdown jail"]
exec.clean []
mount.nodevfs []
path ["/usr/jails/a b/bhyve.child"]
host.hostname ["bhyve.child.example.org"]
ip4.addr ["192.0.2.3/24"]
allow.vmm []
exec.timeout ["90"]
`,
		"web": `name ["web"]
exec.start ["/bin/sh /etc/rc"]
exec.stop ["/bin/sh /etc/rc.shutdown jail"]
exec.clean []
mount.devfs []
path ["/usr/jails/web"]
host.hostname ["web.example.org"]
ip4.addr ["192.0.2.9/24"]
exec.timeout ["90"]
persist ["true"]
exec.prestart ["one" "two" "echo \"$id is 9\" ABC"]
`,
	} {
		j, err := c.Resolve(jail)
		if err != nil {
			t.Errorf("%s: %v", jail, err)
		} else if got := show(j); got != want {
			t.Errorf("%s:\n%swant\n%s", jail, got, want)
		}
	}
	web, _ := c.Resolve("web")
	if p, _ := web.Find("noexec.timeout"); p.Pos.String() != "testdata/jail.conf:26:5" || p.Section != "*" {
		t.Errorf("exec.timeout was set at %v in %s", p.Pos, p.Section)
	}
}

func TestResolve(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"tokens touch", `j { path = /usr/$x'a'"b$x"c; $x = 1; }`, "name [\"j\"]\npath [\"/usr/1ab1c\"]\n"},
		{"comment cuts a word", "j { a = http://x;\n; }", "name [\"j\"]\na [\"http:\"]\n"},
		{"hash cuts a word", "j { a = b#c;\n; }", "name [\"j\"]\na [\"b\"]\n"},
		{"no equals sign", `j { path "/x"; }`, "name [\"j\"]\npath [\"/x\"]\n"},
		{"empty value", `j { exec.start = ""; }`, "name [\"j\"]\nexec.start [\"\"]\n"},
		{"dollar alone", `j { a = "cost 5$"; b = $; }`, "name [\"j\"]\na [\"cost 5$\"]\nb [\"$\"]\n"},
		{"single quotes take no variables", `j { a = '$x\n'; }`, "name [\"j\"]\na [\"$x\\n\"]\n"},
		{"outside counts from its first statement", "a = 1; j { a = 2; } a = 3;", "name [\"j\"]\na [\"2\"]\n"},
		{"outside below", "j { a = 2; } a = 3;", "name [\"j\"]\na [\"3\"]\n"},
		{"a wildcard block is one of its own", "a = 1; j { a = 2; } * { a = 3; }", "name [\"j\"]\na [\"3\"]\n"},
		{"no takes the place", "persist; j { nopersist; }", "name [\"j\"]\nnopersist []\n"},
		{"no in the middle", "allow.mount.zfs; j { allow.nomount.zfs = 1; }", "name [\"j\"]\nallow.nomount.zfs [\"1\"]\n"},
		{"variable below its use", "j { a = $b; $b = $c; $c = 1; }", "name [\"j\"]\na [\"1\"]\n"},
		{"jail by number", "7 { persist; }", "jid [\"7\"]\npersist []\n"},
		{"several statements in a row", ";; j { ;; persist ;; } ;", "name [\"j\"]\npersist []\n"},

		{"no such jail", "a { persist; }", "no jail \"j\" is defined; there are: a"},
		{"loop", "j { $a = $b; $b = x$a; path = $a; }", "f:1:19: b: variable $a refers to itself"},
		{"itself", `j { path = "$path/x"; }`, "f:1:12: path: variable $path refers to itself"},
		{"not set", "j { path = /$nothing; }", "f:1:12: path: variable $nothing is not set"},
		{"set to nothing", "j { $a; path = $a; }", "f:1:16: path: variable $a is not set"},
		{"list within text", "j { $l = 1, 2; path = /$l; }", "f:1:23: path: $l is a list and cannot stand within other text"},
		{"name twice", "j { name = k; }", "f:1:5: name cannot be set: it is the name of the block"},
		{"variable and parameter", "j { path = /; $path = 1; }", "f:1:15: variable $path has the name of a parameter"},
		{"variable like a known parameter", "j { $interface = em0; }", "f:1:5: variable $interface has the name of a parameter"},
		{"jail twice", "j { a; }\nj { b; }", "f:2:1: jail \"j\" is defined already, at f:1:1"},
	} {
		jail := "j"
		if strings.HasPrefix(tc.text, "7") {
			jail = "7"
		}
		if got := resolve(t, tc.text, jail); got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, got, tc.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"no semicolon", "j {\n\tpath = /x\n}", `f:3:1: "}" stands where ; should end the statement of line 2`},
		{"no semicolon between two", "j { a = 1\n b = 2; }", `f:2:2: "b" stands where ; should end the statement of line 1`},
		{"open block", "j {\n a = 1;\n", `f:1:1: the block of jail "j" is not closed with }`},
		{"closed twice", "j { }\n}", "f:2:1: this } closes no block"},
		{"open string", "j { a = \"x;\n}", "f:1:9: this string is not closed"},
		{"open comment", "j { a; } /* x", "f:1:10: this comment is not closed"},
		{"open variable", "j { a = ${x;\n }", "f:1:9: the name of this variable is not closed with }"},
		{"open variable in quotes", `j { a = "${x"; }`, "f:1:9: the name of this variable is not closed with }"},
		{"no value", "j { a = ; }", `f:1:9: ";" stands where a value of "a" should be`},
		{"two values", "j { a = 1,; b = 2; }", `f:1:11: ";" stands where a value of "a" should be`},
		{"name in two pieces", `j { a"b" = 1; }`, "f:1:5: a name is one word or one string in quotes, not several in a row"},
		{"wildcard without quotes", "foo.* { a; }", "f:1:1: jail(8) takes foo.* as a name only in quotes"},
		{"variable as a jail", "$j { a; }", "f:1:1: a jail's name cannot hold variables"},
		{"odd character", "j { a = \x01; }", "f:1:9: this character has no place outside of quotes: byte 0x01"},
		{"include without a reader", `.include "x";`, `f:1:10: "x" cannot be included here`},
		{"include with a variable", `.include "/etc/$x";`, "f:1:10: the name of an included file cannot hold variables"},
		{"two mistakes", "j { a = ; b = 1 c = 2; d; }\nk { e = ; }",
			"f:1:9: \";\" stands where a value of \"a\" should be\nf:1:17: \"c\" stands where ; should end the statement of line 1\nf:2:9: \";\" stands where a value of \"e\" should be"},
	} {
		_, err := Parse(Source{"f", tc.text}, nil)
		if err == nil || strings.Join(first(err, tc.want), "\n") != tc.want {
			t.Errorf("%s:\n got %v\nwant %s", tc.name, err, tc.want)
		}
	}
}

// first is as many messages as are wanted: a mistake may bring others with it.
func first(err error, want string) []string {
	lines := strings.Split(err.Error(), "\n")
	return lines[:min(len(lines), strings.Count(want, "\n")+1)]
}

func TestInclude(t *testing.T) {
	files := func(_, pattern string) ([]Source, error) {
		if pattern == "none" {
			return nil, os.ErrNotExist
		}
		return []Source{{pattern, ".include \"" + pattern + "\";"}}, nil
	}
	_, err := Parse(Source{"f", "a;\n.include none;"}, files)
	if err == nil || err.Error() != `f:2:10: cannot include "none": file does not exist` {
		t.Error(err)
	}
	_, err = Parse(Source{"f", `.include "g";`}, files)
	if err == nil || err.Error() != "g:1:10: files include each other more than 32 deep" {
		t.Error(err)
	}
	if len(Positions(err)) != 1 {
		t.Error("the mistake has no place")
	}

	// An included file belongs to the block that includes it.
	one := func(_, _ string) ([]Source, error) { return []Source{{"g", "a = 1; k { b; }"}}, nil }
	c, err := Parse(Source{"f", `j { .include "g"; c; }`}, one)
	if err != nil {
		t.Fatal(err)
	}
	j, err := c.Resolve("j")
	if err != nil || show(j) != "name [\"j\"]\na [\"1\"]\nc []\n" {
		t.Error(j, err)
	}
	if _, err := c.Resolve("j.k"); err != nil {
		t.Error(err)
	}
}

func TestBool(t *testing.T) {
	for text, want := range map[string]bool{
		"allow.vmm":           true,
		"allow.novmm":         false,
		"allow.vmm = true":    true,
		"allow.vmm = TRUE":    true,
		"allow.vmm = 1":       true,
		"allow.vmm = 0":       false,
		"allow.vmm = false":   false,
		"allow.novmm = false": true,
		"allow.other":         false,
	} {
		c, err := Parse(Source{"f", "j { " + text + "; }"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		j, err := c.Resolve("j")
		if err != nil {
			t.Fatal(err)
		}
		if got := j.Bool("allow.vmm"); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestWildMatch(t *testing.T) {
	for _, tc := range []struct {
		wild, name string
		want       bool
	}{
		{"*", "a", true}, {"*", "a.b", true}, {"a.*", "a", false}, {"a.*", "a.b", true}, {"a.*", "a.b.c", true},
		{"*.b", "a.b", true}, {"*.b", "a.c", false}, {"*.b", "a.b.c", false}, {"a.*.c", "a.b.c", true}, {"b.*", "a.b", false},
	} {
		if got := wildMatch(tc.wild, tc.name); got != tc.want {
			t.Errorf("wildMatch(%q, %q) = %v", tc.wild, tc.name, got)
		}
	}
}

// Whatever a file holds, there is an answer in good time, and a mistake has a
// place in the file.
func FuzzParse(f *testing.F) {
	text, err := os.ReadFile("testdata/jail.conf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("$a = \"$b$b\"; $b = \"$c$c\"; j { path = $a; \"x\\\n\" = '\\x4'; }")
	f.Add("$a = $b, $b; $b = $c, $c; $c = 1, 2; j { x = $a; }")
	f.Fuzz(func(t *testing.T, text string) {
		include := func(_, pattern string) ([]Source, error) { return []Source{{pattern, pattern}}, nil }
		c, err := Parse(Source{"f", text}, include)
		var es Errors
		if err != nil {
			if !errors.As(err, &es) || es[0].Pos.Line < 1 || es[0].Pos.Column < 1 {
				t.Errorf("%v", err)
			}
			return
		}
		for _, name := range c.Jails()[:min(len(c.Jails()), 8)] {
			j, err := c.Resolve(name)
			if err != nil {
				continue
			}
			if p := j.Params[0]; p.Values[0] != name {
				t.Errorf("jail %q is named %q", name, p.Values)
			}
		}
	})
}
