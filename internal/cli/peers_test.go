package cli

import (
	"os"
	"strings"
	"testing"

	"skep/internal/fault"
)

// A verb of docker, virsh or vm that means the same is there, and is the same.
func TestPeerAliases(t *testing.T) {
	tree := Tree()
	for verb, others := range peerAliases {
		for _, other := range others {
			c, _, err := tree.Find([]string{other})
			if err != nil || c.Name() != verb {
				t.Errorf("skep %s is %q (%v), want %s", other, c.Name(), err, verb)
			}
		}
	}
	dir := t.TempDir()
	write(t, dir+"/etc/cells/web.hcl", "cell \"web\" {}\n")
	for _, verb := range []string{"ls", "list", "status"} {
		if s := skepIn(t, dir, verb, "web").want(t, fault.OK); !strings.Contains(s.out, "\nweb ") {
			t.Errorf("%s: %s", verb, s.out)
		}
	}
	skepIn(t, dir, "stop", "web").want(t, fault.OK)
	skepIn(t, dir, "logs", "web").want(t, fault.Host, "log of web", "!understand")
	skepIn(t, dir, "attach", "web").want(t, fault.Host, "not running")
	if s := skepIn(t, dir, "help", "start").want(t, fault.OK); !strings.Contains(s.out, "skep up NAME") {
		t.Error(s.out)
	}
}

// A verb that means something else, or that skep has not got, says what there
// is, whatever flags come with it; a slip says what was meant.
func TestPeerHints(t *testing.T) {
	tree := Tree()
	for word, hint := range peerHints {
		if c, _, err := tree.Find([]string{word}); err == nil && c != tree {
			t.Errorf("%s is a verb by now and has the hint %q", word, hint)
			continue
		}
		skep(t, word, "web").want(t, fault.Input, `"`+word+`"`, "skep: hint: "+hint+"\n")
		// A hint leads to verbs that are there.
		for _, part := range strings.Split(hint, "skep ")[1:] {
			verb := strings.FieldsFunc(part, func(r rune) bool { return r < 'a' || r > 'z' })[0]
			if c, _, err := tree.Find([]string{verb}); strings.HasPrefix(part, verb+" NAME") && (err != nil || c == tree) {
				t.Errorf("%s: the hint leads to skep %s, which is not there", word, verb)
			}
		}
	}
	skep(t, "exec", "-it", "web", "sh").want(t, fault.Input, `"exec"`, "skep console NAME", "!shorthand")
	skep(t, "help", "rollback").want(t, fault.Input, "skep revert NAME TAG")
	skep(t, "--bogus").want(t, fault.Input, "unknown flag --bogus")
	for slip, meant := range map[string]string{"dwon": "down", "consol": "console", "strat": "up", "lgos": "log", "docter": "doctor", "plna": "plan"} {
		skep(t, slip, "web").want(t, fault.Input, `"`+slip+`"`, "skep: hint: did you mean skep "+meant+"?\n")
	}
	skep(t, "xyzzy").want(t, fault.Input, "skep help shows what there is")
}

// A flag that a verb has in another manager says what there is instead.
func TestPeerFlags(t *testing.T) {
	tree := Tree()
	for verb, flags := range peerFlags {
		c, _, err := tree.Find([]string{verb})
		if err != nil || c == tree {
			t.Fatalf("%s is no verb", verb)
		}
		for name, hint := range flags {
			if c.Flags().Lookup(name) != nil || len(name) == 1 && c.Flags().ShorthandLookup(name) != nil {
				t.Errorf("skep %s has %s by now, and the hint %q", verb, name, hint)
				continue
			}
			dashes := "--"
			if len(name) == 1 {
				dashes = "-"
			}
			skep(t, verb, dashes+name, "web").want(t, fault.Input, "skep: hint: "+hint+"\n")
		}
	}
	skep(t, "run", "-it", "web").want(t, fault.Input, "console on the terminal")
	skep(t, "run", "--bogus", "web").want(t, fault.Input, "skep help run shows what there is")
}

// skep(8) lists what other managers' verbs are called here.
func TestPeersInManual(t *testing.T) {
	b, err := os.ReadFile("../../man/skep.8")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(b), ".Ss Verbs of other managers\n")
	section, _, _ = strings.Cut(section, "\n.Sh ")
	if !ok {
		t.Fatal("skep(8) lacks the section")
	}
	for verb, others := range peerAliases {
		for _, other := range others {
			if !strings.Contains(section, "Cm "+other) {
				t.Errorf("skep(8) lacks %s, which is %s", other, verb)
			}
		}
	}
}
