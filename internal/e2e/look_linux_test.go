package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
)

// What up would refuse of this host, check --host and plan refuse beforehand, with
// its line, and keep nothing.
func TestLookBeforehand(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	l.try(err)
	image := l.write("a.img", strings.Repeat("\x00", 1<<20))
	l.cell("has", fmt.Sprintf("accel = \"tcg\"\ndisk \"a\" { file = %q }", image))
	l.must(0, "up", "has")
	body := fmt.Sprintf(`accel = "tcg"
disk "a" { file = %q }
disk "b" { file = %q }
nic "lan" { bridge = "nosuchbr0" }
screen { listen = %q }`, image, l.path("nosuch.img"), taken.Addr())
	l.cell("wants", body)
	l.must(0, "check", "wants")
	for _, verb := range [][]string{{"check", "--host", "wants"}, {"plan", "wants"}, {"up", "wants"}} {
		r := l.must(2, verb...)
		for _, words := range []string{"in use by the cell has", "nosuch.img): it does not exist", "nosuchbr0", "address already in use", "wants.hcl:"} {
			if !strings.Contains(r.err, words) {
				t.Errorf("%v does not say %q: %s", verb, words, r)
			}
		}
		if verb[0] == "plan" && !strings.Contains(r.out, "# hypervisor: ") {
			t.Errorf("the plan is not printed: %s", r)
		}
	}
	l.must(0, "plan", "has") // what a cell has is its own
	l.must(0, "check", "--host", "has")
	l.must(0, "kill", "has")
	taken.Close()
	l.cell("wants", strings.ReplaceAll(strings.ReplaceAll(body, "nic \"lan\" { bridge = \"nosuchbr0\" }\n", ""), l.path("nosuch.img"), l.write("b.img", strings.Repeat("\x00", 512))))
	l.must(0, "check", "--host", "wants")
	l.must(0, "up", "wants")
	l.must(0, "kill", "wants")
	l.nothingLeft()
}

// UEFI variables that a start would refuse are refused beforehand, too, and are left as they are.
func TestLookAtVariables(t *testing.T) {
	needCells(t)
	needUEFI(t)
	l := newLab(t)
	l.cell("u", "boot = \"uefi\"\naccel = \"tcg\"")
	l.must(0, "check", "--host", "u")
	vars := l.write("state/cells/u/uefi-vars.fd", "")
	for _, verb := range [][]string{{"check", "--host", "u"}, {"plan", "u"}, {"up", "u"}} {
		if r := l.must(2, verb...); !strings.Contains(r.err, "uefi-vars.fd: the file is empty") {
			t.Errorf("%v: %s", verb, r)
		}
	}
	if info, err := os.Stat(vars); err != nil || info.Size() != 0 {
		t.Errorf("%v, %v", info, err)
	}
	l.nothingLeft()
}

// A size that is more than the image has is told of, and a file that says
// differs from what runs.
func TestWhatIsNotObeyedIsTold(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	image := l.path("a.img")
	body := fmt.Sprintf("accel = \"tcg\"\ndisk \"a\" {\n  file = %q\n  size = \"1M\"\n}", image)
	l.cell("s", body)
	l.must(0, "up", "s")
	if r := l.must(0, "up", "s"); strings.Contains(r.err, "differs from") {
		t.Errorf("%s", r)
	}
	if r := l.must(0, "show", "s"); strings.Contains(r.out, "differs from") {
		t.Errorf("%s", r)
	}
	l.cell("s", strings.Replace(body, "1M", "4M", 1))
	for _, verb := range []string{"up", "show"} {
		if r := l.must(0, verb, "s"); !strings.Contains(r.out+r.err, "skep restart s applies it") {
			t.Errorf("%s: %s", verb, r)
		}
	}
	l.must(0, "kill", "s")
	if r := l.must(0, "up", "s"); !strings.Contains(r.err, "has 1M and its size says 4M") || !strings.Contains(r.err, "skep disk grow") {
		t.Errorf("%s", r)
	}
	l.must(0, "kill", "s")
	l.must(0, "disk", "grow", "s", "a", "4M")
	if info, err := os.Stat(image); err != nil || info.Size() != 4<<20 {
		t.Error(err, info.Size())
	}
	if r := l.must(0, "up", "s"); strings.Contains(r.err, "its size says") {
		t.Errorf("%s", r)
	}
	l.must(0, "kill", "s")
	l.nothingLeft()
}
