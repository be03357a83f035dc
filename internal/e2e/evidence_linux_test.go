package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"skep/guest/hello"
)

// The evidence of a run has what its cell was, audits of its beginning and its end, its console with times,
// a picture and a dump, all in a chain that was begun before the first instruction. sha256sum(1) and
// ssh-keygen(1) agree with it, and a changed byte is found and named.
func TestEvidence(t *testing.T) {
	needTools(t, "ssh-keygen")
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("lab", "accel = \"tcg\"\nmemory = \"64M\"\nevidence = true\nscreen {}")
	l.must(0, "up", "lab")
	c := l.live("console", "lab")
	c.expect(slow, hello.Commands)
	rec := l.live("record", "--every", "200ms", "lab")
	eventually(t, slow, "a picture is kept", func() bool { return strings.Contains(l.must(0, "events", "lab").out, "by skep record shots/0001-") })
	l.must(0, "dump", "lab", l.path("lab.elf"))
	running := l.must(0, "evidence", "lab", "-o", l.path("running.tar"))
	if !strings.Contains(running.err, "audit-end.json: the cell still runs") {
		t.Errorf("what is missing while it runs: %s", running)
	}
	c.send("q")
	rec.ends(slow, 0)
	eventually(t, slow, "it has ended", func() bool { return l.show("lab").State == "stopped" })

	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", l.path("key")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tar := l.path("lab.tar")
	made := l.must(0, "evidence", "lab", "-o", tar, "--sign", l.path("key"))
	l.must(2, "evidence", "lab", "-o", tar)
	if r := l.must(2, "evidence", "lab", "-o", l.path("small.tar"), "--limit", "64K"); !strings.Contains(r.err, "limit") {
		t.Errorf("over its limit: %s", r)
	}
	if r := l.must(0, "evidence", "verify", tar); !strings.Contains(r.out, "signed by ssh-ed25519 ") {
		t.Errorf("verify: %s", r)
	}
	dir := l.path("x")
	script := fmt.Sprintf(`set -e; mkdir %[1]s; tar -xf %[2]s -C %[1]s; cd %[1]s; sha256sum --quiet -c SHA256SUMS
echo "me $(cat %[3]s.pub)" > %[3]s.allowed
ssh-keygen -Y verify -f %[3]s.allowed -I me -n skep-evidence -s manifest.json.sig < manifest.json`, dir, tar, l.path("key"))
	if out, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	for _, name := range []string{"cell.hcl", "plan.json", "host.json", "audit-start.json", "audit-end.json", "console.log", "console-times.jsonl",
		"journal.jsonl", "index.html", "contact-sheet.png", "dumps/01-lab.elf"} {
		if info, err := os.Stat(dir + "/" + name); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v: %s", name, err, made)
		}
	}
	l.orderOfEvidence(dir)

	whole, err := os.ReadFile(tar)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ what, named string }{
		{`"kind":"audit"`, "journal.jsonl"}, {"hello from", "console.log"}, {`evidence = true`, "cell.hcl"}, {"\x7fELF", "dumps/01-lab.elf"}, {"-----BEGIN SSH", "manifest.json.sig"},
	} {
		at := strings.LastIndex(string(whole), tt.what) // the page has some of them, too
		if at < 0 {
			t.Errorf("%q is not in it", tt.what)
			continue
		}
		changed := append([]byte{}, whole...)
		changed[at+2] ^= 1
		l.try(os.WriteFile(l.path("changed.tar"), changed, 0o600))
		if r := l.must(1, "evidence", "verify", l.path("changed.tar")); !strings.Contains(r.out, tt.named) {
			t.Errorf("%q is changed, and %s is not named: %s", tt.what, tt.named, r)
		}
	}
	l.must(0, "rm", "lab")
	if left, err := os.ReadDir(l.path("state/cells/lab")); err != nil || len(left) != 1 {
		t.Errorf("after rm: %v, %v", left, err)
	}
	l.nothingLeft()
}

// orderOfEvidence sees that the chain is begun, and what the cell is kept, before the guest runs.
func (l *lab) orderOfEvidence(dir string) {
	l.t.Helper()
	b, err := os.ReadFile(dir + "/journal.jsonl")
	if err != nil {
		l.t.Fatal(err)
	}
	order := []string{"begin", "plan.json", "audit-start.json passed", "running", "audit-end.json passed", "end"}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		var e struct {
			Kind, State, File, Reason string
			Time                      time.Time
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Time.IsZero() {
			l.t.Fatalf("%s: %v", line, err)
		}
		said := strings.TrimSpace(e.File + " " + e.Reason)
		if len(order) > 0 && (e.Kind == order[0] || e.State == order[0] || said == order[0]) {
			order = order[1:]
		}
	}
	if len(order) > 0 {
		l.t.Errorf("the chain has no %q at its place:\n%s", order[0], b)
	}
}

// Pictures are kept where the screen has changed, with a sheet of them.
func TestScreenshotEvery(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("shown", "accel = \"tcg\"\nboot = \"bios\"\nmemory = \"64M\"\nscreen {}")
	l.must(0, "up", "shown")
	l.must(2, "screenshot", "--every", "1s", "shown")
	l.must(2, "screenshot", "--every", "1ms", "-o", l.path("shots"), "shown")
	v := l.live("screenshot", "--every", "300ms", "--changed", "-o", l.path("shots"), "shown")
	eventually(t, slow, "a picture is kept", func() bool { some, _ := os.ReadDir(l.path("shots")); return len(some) > 0 })
	time.Sleep(3 * time.Second) // SeaBIOS finds nothing to boot; its cursor may blink
	l.must(0, "kill", "shown")
	v.ends(slow, 0)
	some, err := os.ReadDir(l.path("shots"))
	if err != nil || len(some) < 2 || some[len(some)-1].Name() != "contact-sheet.png" {
		t.Fatalf("%v, %v", some, err)
	}
	var before []byte
	for _, one := range some[:len(some)-1] {
		now, err := os.ReadFile(l.path("shots/" + one.Name()))
		if err != nil || bytes.Equal(before, now) {
			t.Errorf("%s is kept and is like the one before it (%v)", one.Name(), err)
		}
		before = now
	}
	l.nothingLeft()
}

// What a guest has written on top of its base is in the evidence by extents, and the file system is read.
func TestEvidenceOfADisk(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	base, files := l.path("base.img"), l.path("files")
	l.try(os.MkdirAll(files, 0o755))
	l.try(os.WriteFile(files+"/hostname", []byte("guest\n"), 0o644))
	if out, err := exec.Command("/sbin/mke2fs", "-q", "-t", "ext4", "-d", files, base, "16M").CombinedOutput(); err != nil {
		t.Skipf("needs mke2fs: %v %s", err, out)
	}
	l.cell("lab", "accel = \"tcg\"\nmemory = \"192M\"\ndisk \"root\" {\n  base = \""+base+"\"\n}\n"+kernelBlock(k))
	l.must(0, "up", "lab@1")
	c := l.console("lab@1")
	c.expect(boot, "guest: ready")
	c.send("write something of its own\n") // into the first bytes, which ext4 does without
	c.expect(slow, "guest: written")
	for _, state := range []string{"running", "stopped"} {
		tar := l.path(state + ".tar")
		r := l.must(0, "evidence", "lab@1", "-o", tar)
		if strings.Contains(r.err, "root") {
			t.Errorf("%s: %s", state, r)
		}
		out, err := exec.Command("tar", "-xOf", tar, "diff/root.json").Output()
		var d struct {
			Written int64
			Extents []struct{ From, Size int64 }
			Files   []struct{ What, Path string }
			Unread  string
		}
		if err == nil {
			err = json.Unmarshal(out, &d)
		}
		if err != nil || len(d.Extents) != 1 || d.Extents[0].From != 0 || d.Written == 0 || len(d.Files) != 0 || d.Unread != "" {
			t.Errorf("%s: %s, %v", state, out, err)
		}
		l.must(0, "evidence", "verify", tar)
		if state == "running" {
			l.must(0, "down", "lab@1")
		}
	}
	l.nothingLeft()
}
