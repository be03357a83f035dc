package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const stream = `{"Action":"start","Package":"skep/a"}
{"Action":"run","Package":"skep/a","Test":"TestGood"}
{"Action":"output","Package":"skep/a","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"pass","Package":"skep/a","Test":"TestGood"}
{"Action":"output","Package":"skep/a","Test":"TestLess/kvm","Output":"    a_test.go:7: no KVM here: /dev/kvm: gone\n"}
{"Action":"output","Package":"skep/a","Test":"TestLess/kvm","Output":"    --- SKIP: TestLess/kvm (0.00s)\n"}
{"Action":"skip","Package":"skep/a","Test":"TestLess/kvm"}
{"Action":"output","Package":"skep/a","Output":"PASS\n"}
{"Action":"output","Package":"skep/a","Output":"ok  \tskep/a\t0.010s\n"}
{"Action":"pass","Package":"skep/a","Elapsed":0.01}
`

const failing = `{"Action":"output","Package":"skep/b","Test":"TestBad","Output":"    b_test.go:3: words\n"}
{"Action":"fail","Package":"skep/b","Test":"TestBad"}
{"Action":"output","Package":"skep/b","Output":"FAIL\n"}
{"Action":"output","Package":"skep/b","Output":"FAIL\tskep/b\t0.020s\n"}
{"Action":"fail","Package":"skep/b"}
`

const dying = `{"Action":"run","Package":"skep/c","Test":"TestSlow"}
{"Action":"output","Package":"skep/c","Test":"TestSlow","Output":"panic: test timed out after 1s\n"}
{"Action":"output","Package":"skep/c","Output":"FAIL\tskep/c\t1.000s\n"}
{"Action":"fail","Package":"skep/c"}
`

func summarise(t *testing.T, events string, allowed []rule, strict bool) (string, bool) {
	t.Helper()
	var out bytes.Buffer
	s := newSummary(&out, io.Discard)
	if err := s.read(strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	ok := s.finish(allowed, strict)
	return out.String(), ok
}

func TestSummary(t *testing.T) {
	kvm := []rule{{pkg: "skep/a", test: "TestLess/*"}}
	for _, c := range []struct {
		name, events string
		allowed      []rule
		strict, ok   bool
		says         []string
	}{
		{"a skip is told with its reason", stream, nil, false, true, []string{"skipped: 1", "TestLess/kvm: no KVM here: /dev/kvm: gone", "ok  \tskep/a\t0.010s"}},
		{"it fails where nothing may be skipped", stream, nil, true, false, []string{"NOT ALLOWED HERE: skep/a TestLess/kvm", "\nFAIL\n"}},
		{"it passes where it is listed", stream, kvm, true, true, []string{"skipped: 1"}},
		{"another package's rule does not help", stream, []rule{{pkg: "skep/b", test: "TestLess/*"}}, true, false, nil},
		{"a failure shows its words", stream + failing, kvm, false, false, []string{"b_test.go:3: words", "FAIL\tskep/b\t0.020s", "\nFAIL\n"}},
		{"a timeout shows its words", dying, nil, false, false, []string{"panic: test timed out"}},
		{"what failed is said again at the end", failing + stream, nil, false, false, []string{"failed: 1\n  skep/b TestBad\n    b_test.go:3: words\n"}},
		{"what ran when its package ended, too", dying, nil, false, false, []string{"failed: 1\n  skep/c TestSlow\npanic: test timed out"}},
		{"what is no event is shown", "go: no such module\n", nil, false, true, []string{"go: no such module"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, ok := summarise(t, c.events, c.allowed, c.strict)
			if ok != c.ok {
				t.Errorf("ok: %v, want %v\n%s", ok, c.ok, out)
			}
			for _, w := range c.says {
				if !strings.Contains(out, w) {
					t.Errorf("does not say %q:\n%s", w, out)
				}
			}
		})
	}
}

// The last lines are go test's: scripts read the end of a log.
func TestSummaryComesLast(t *testing.T) {
	out, _ := summarise(t, stream, nil, false)
	if !strings.HasSuffix(out, "ok  \tskep/a\t0.010s\n") {
		t.Errorf("ends with something else:\n%s", out)
	}
}

func TestReadSkips(t *testing.T) {
	for _, c := range []struct {
		text string
		want int
		err  bool
	}{
		{"", 0, false},
		{"# only a comment\n\n", 0, false},
		{"skep/a TestX # why\nskep/a TestY/* # why\n", 2, false},
		{"skep/a TestX\n", 0, true},
		{"TestX # why\n", 0, true},
		{"user skep/a TestX # why\n", 1, false},
		{"user TestX # why\n", 0, true},
		{"skep/a Test[ # why\n", 0, true},
	} {
		file := filepath.Join(t.TempDir(), "skips")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		rules, err := readSkips(file)
		if len(rules) != c.want && !c.err || (err != nil) != c.err {
			t.Errorf("%q: %d rules, %v", c.text, len(rules), err)
		}
	}
	if rules, err := readSkips(filepath.Join(t.TempDir(), "none")); err != nil || len(rules) != 0 {
		t.Error(rules, err)
	}
}

// What only root can do may be skipped by everybody else, and not by root.
func TestUserRule(t *testing.T) {
	r := rule{"skep/a", "TestX", true}
	if got, want := r.matches(skip{"skep/a", "TestX", ""}), os.Geteuid() != 0; got != want {
		t.Errorf("matches: %v, want %v", got, want)
	}
}
