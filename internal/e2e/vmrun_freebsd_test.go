package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skep/guest/hello"
)

// TestVmrunOnAHost: vmrun.sh's own command line runs a guest, in a jail; its
// tap and its disk are used and left.
func TestVmrunOnAHost(t *testing.T) {
	needs(t, "vmm", "nmdm", "if_tuntap")
	l := newLab(t)
	name := strings.ReplaceAll(filepath.Base(l.dir), "skep-lab-", "v")
	rom, disk := l.path("hello.rom"), l.write("disk.img", "")
	if err := os.Truncate(disk, 1<<20); err != nil {
		t.Fatal(err)
	}
	r := l.skep("hello-rom")
	if r.code != 0 {
		t.Fatal(r)
	}
	l.write("hello.rom", r.out)
	tap := strings.TrimSpace(must(t, "ifconfig", "tap", "create"))
	t.Cleanup(func() { must(t, "ifconfig", tap, "destroy") })
	// The image for an empty disk is taken, as the script does.
	iso := l.write("release.iso", "no system is on this")

	v := l.live("vmrun", "-c", "2", "-m", "128m", "-t", tap, "-C", "/dev/nmdm-"+name+"-A", "-d", disk, "-I", iso, "-E", "-f", rom, name)
	v.expect(limit, "hello from")
	v.expect(limit, hello.Commands)
	jail := must(t, "jls", "-j", "skep-"+name, "-n", "allow.vmm", "allow.mount", "children.max", "securelevel")
	if !strings.Contains(jail, "allow.vmm allow.nomount children.max=0 securelevel=3") {
		t.Errorf("the jail: %s", jail)
	}
	if _, err := v.in.Write([]byte("q")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-v.done:
	case <-time.After(limit):
		t.Fatalf("it goes on\n%s%s", v.out, v.errs)
	}
	if code := v.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("status %d\n%s", code, v.errs)
	}
	if !strings.Contains(v.errs.String(), "skep: the screen is on a UNIX socket") {
		t.Errorf("what is safer is not said: %s", v.errs)
	}
	must(t, "ifconfig", tap)
	if left := must(t, "jls", "name") + must(t, "mount", "-p"); strings.Contains(left, name) {
		t.Errorf("left behind: %s", left)
	}
	// A password is refused before anything is made.
	if r := l.skep("vmrun", "-E", "-s", "secret", name); r.code != 2 || strings.Contains(r.err, "secret") {
		t.Error(r)
	}
}
