package devfs

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// load reads the host's two files.
func load(t *testing.T, names ...string) *Loader {
	t.Helper()
	l := new(Loader)
	for _, name := range names {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		l.Load(name, string(text))
	}
	if len(l.Problems) > 0 {
		t.Fatal(l.Problems)
	}
	return l
}

func TestLoad(t *testing.T) {
	l := load(t, "../stock.rules", "bhyve.rules")
	set, ok := l.Sets.Find("devfsrules_jail_bhyve")
	if !ok || set.Number != 25 {
		t.Fatalf("no set 25: %v", l.Sets.Numbers())
	}
	if got := set.Rules[0].String(); got != "100 include 4" {
		t.Errorf("first rule is %q", got)
	}
	if got := set.Rules[2].String(); got != "300 path vmm/* unhide" {
		t.Errorf("third rule is %q", got)
	}
	if got := l.Sets[5].Rules[3].Include; got != 4 {
		t.Errorf("set 5 includes %d", got)
	}
}

func TestLoadProblems(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"later set replaces", "[a=1]\nadd hide\n[b=1]\nadd path x unhide\n", ""},
		{"hash inside a word", "[a=1]\nadd path x#y unhide # but not this\n", ""},
		{"continued line", "[a=1]\nadd path x \\\nunhide\n", ""},
		{"name below its use", "[a=1]\nadd include $b\n[b=2]\nadd hide\n",
			"f:2: $b is not defined above this line, so \"include\" has no value; rc(8) stops here and never loads [b=2]"},
		{"empty set included", "[a=1]\n[b=2]\nadd include $a\n", "f:3: rule set 1 does not exist yet, so it cannot be included"},
		{"no section", "add hide\n", "f:1: a rule stands before the first [name=number]"},
		{"no number", "[a]\nadd hide\n", "f:1: \"[a]\" is not [name=number] with a number from 1 to 65535"},
		{"set 0", "[a=0]\n", "f:1: \"[a=0]\" is not [name=number] with a number from 1 to 65535"},
		{"huge", "[a=65536]\n", "f:1: \"[a=65536]\" is not [name=number] with a number from 1 to 65535"},
		{"dash in name", "[a-b=7]\nadd hide\n", "f:1: \"a-b\" is not a name for sh(1): $a-b cannot refer to it"},
		{"command", "[a=1]\nadd path $(id) unhide\n", "f:2: the shell would run or expand \"$(id) unhide\""},
		{"two commands", "[a=1]\nadd hide; reboot\n", "f:2: the shell would act on \";\"; quote it"},
		{"open quote", "[a=1]\nadd path 'x unhide\n", "f:2: a ' is not closed"},
		{"other verb", "[a=1]\ndelset\n", "f:2: \"delset\" adds no rule; only add is read here"},
		{"taken number", "[a=1]\nadd 100 hide\nadd 100 hide\n", "f:3: the set has a rule 100 already"},
		{"out of numbers", "[a=1]\nadd 65500 hide\nadd hide\n", "f:3: the set has no rule number left"},
		{"no newline at the end", "[a=1]\nadd hide\nadd path x unhide", "f:3: the last line has no newline, so rc(8) does not read it: add path x unhide"},
	} {
		l := new(Loader)
		l.Load("f", tc.text)
		var got []string
		for _, p := range l.Problems {
			got = append(got, p.String())
		}
		if strings.Join(got, "\n") != tc.want {
			t.Errorf("%s:\n got %q\nwant %q", tc.name, got, tc.want)
		}
	}
}

// The shell's read takes a backslash away before eval sees it.
func TestLoadReadsTwice(t *testing.T) {
	l := new(Loader)
	l.Load("f", "[a=1]\nadd path tap\\* unhide\nadd path 'tap\\\\*' unhide\nadd path \"x y\" unhide\n")
	var got []string
	for _, r := range l.Sets[1].Rules {
		got = append(got, r.Path)
	}
	if want := []string{"tap*", `tap\*`, "x y"}; !reflect.DeepEqual(got, want) {
		t.Errorf("paths %q, want %q; problems %v", got, want, l.Problems)
	}
}

// What Text writes, Load reads back, whatever the pattern holds.
func FuzzText(f *testing.F) {
	f.Add("vmm/web", "1001", uint16(0o600), 4)
	f.Add(`a'b"c\d$e f#`, "", uint16(0), 0)
	f.Fuzz(func(t *testing.T, pattern, user string, mode uint16, include int) {
		if len(pattern) > MaxPattern || strings.ContainsAny(pattern+user, "\x00\n\r") || mode > 0o7777 || include < 0 || include > 0xffff {
			return
		}
		r := Rule{Number: 100, HasPath: true, Path: pattern, Unhide: true, User: user, HasMode: true, Mode: mode}
		set := &Ruleset{Number: 9, Name: "cell", Rules: []Rule{r}}
		l := new(Loader)
		l.Load("f", set.Text())
		if len(l.Problems) > 0 || !reflect.DeepEqual(l.Sets[9], set) {
			t.Errorf("%q\nread as %+v\nproblems %v", set.Text(), l.Sets[9], l.Problems)
		}
	})
}

func FuzzLoad(f *testing.F) {
	for _, name := range []string{"../stock.rules", "bhyve.rules"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("[a=1]\nadd path \"$a${a}\\\"\" hide\nadd include $a\nadd include $a\n")
	f.Fuzz(func(t *testing.T, text string) {
		l := new(Loader)
		l.Load("f", text)
		l.Load("g", text)
		for _, n := range l.Sets.Numbers() {
			if _, err := Check(l.Sets, n, 3, TypicalNodes()); err != nil && !strings.Contains(err.Error(), "too often") {
				t.Error(err)
			}
		}
	})
}
