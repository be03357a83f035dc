package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// sums are the digests of a template's files.
func (l *lab) sums(name string) string {
	l.t.Helper()
	all := ""
	files, _ := filepath.Glob(l.path("state/templates/" + name + "/*"))
	for _, path := range files {
		b, err := os.ReadFile(path)
		l.try(err)
		all += fmt.Sprintf("%s %x\n", filepath.Base(path), sha256.Sum256(b))
	}
	return all
}

// Two clones of one booted guest: each goes on from the same moment with its own memory and disk, each is
// audited clean, and neither can write what they share.
func TestTemplate(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	base := l.baseImage("base.img", "of the base", 64<<20)
	data := l.baseImage("data.img", "of the file", 8<<20)
	ground, file := fingerprint(t, base), fingerprint(t, data)
	body := "accel = \"tcg\"\nmemory = \"%s\"\ndisk \"root\" {\n  base = \"" + base + "\"\n}\ndisk \"data\" {\n  file = \"" + data + "\"\n}\n" + kernelBlock(k)
	l.cell("w", fmt.Sprintf(body, "192M"))
	if r := l.must(0, "template", "make", "w", "--when", "guest: ready", "--as", "T"); r.out != "T\n" {
		t.Error(r)
	}
	l.nothingLeft()
	before := l.sums("T")
	if r := l.must(2, "template", "make", "w", "--as", "T"); !strings.Contains(r.err, "it is there already") {
		t.Error(r)
	}
	if r := l.must(0, "up", "w@1", "w@2", "--from", "T"); strings.Contains(r.err, "error") {
		t.Error(r) // what only one instance could have is a clone's own
	}
	if out := l.must(0, "ps").out; strings.Contains(out, "differs") {
		t.Errorf("a clone is told to differ from its file by what it has of its template:\n%s", out)
	}
	consoles := map[string]*live{}
	for _, name := range []string{"w@1", "w@2"} {
		c := l.console(name)
		consoles[name] = c
		c.send("count\n")
		c.expect(slow, "guest: count 1")
		c.send("read\n")
		c.expect(slow, `guest: read "of the base"`)
		c.send("write by " + name + "\n")
		c.expect(slow, "guest: written")
	}
	for name, c := range consoles {
		c.send("read\n")
		c.expect(slow, `guest: read "by `+name+`"`)
		c.send("count\n")
		c.expect(slow, "guest: count 2")
		l.audit(0, name)
		l.cannotWriteTemplate(name)
	}
	l.randomNumbers(consoles["w@1"], consoles["w@2"])
	if r := l.must(75, "template", "rm", "T"); !strings.Contains(r.err, "runs on it") {
		t.Error(r)
	}
	if out := l.must(0, "template", "ls").out; !strings.Contains(out, "T ") || !strings.Contains(out, "192M") {
		t.Error(out)
	}
	l.must(0, "down", "w@1", "w@2")
	if got := l.sums("T"); got != before {
		t.Errorf("the template has changed:\n%s\nit was\n%s", got, before)
	}
	if fingerprint(t, base) != ground || fingerprint(t, data) != file {
		t.Error("a disk that clones only read has changed")
	}
	// Another board.
	l.cell("w", fmt.Sprintf(body, "256M"))
	if r := l.must(2, "up", "w@1", "--from", "T"); !strings.Contains(r.err, "another board") {
		t.Error(r)
	}
	l.must(0, "template", "rm", "T")
	l.nothingLeft()
	if _, err := os.Stat(l.path("state/templates/T")); err == nil {
		t.Error("the template's directory is left")
	}
}

// randomNumbers: clones whose kernel knows vmgenid draw other random numbers; those of another kernel may well
// draw the same, which is what is said when a template is made.
func (l *lab) randomNumbers(a, b *live) {
	l.t.Helper()
	drawn := func(c *live) (number string, knows bool) {
		c.send("random\n")
		c.expect(slow, "guest: random ")
		at := c.at
		c.expect(slow, "\n")
		number = strings.TrimSpace(c.out.String()[at:c.at])
		return number, c.expectOne(slow, "guest: vmgenid true", "guest: vmgenid false") == "guest: vmgenid true"
	}
	one, knows := drawn(a)
	two, _ := drawn(b)
	if len(one) != 36 || len(two) != 36 || knows && one == two {
		l.t.Errorf("the clones drew %q and %q; their kernel knows vmgenid: %v", one, two, knows)
	}
	l.t.Logf("the clones drew %s and %s; their kernel knows vmgenid: %v", one, two, knows)
}

// cannotWriteTemplate takes the hypervisor's own descriptor of the template's memory and tries with root's
// rights what an intruder would.
func (l *lab) cannotWriteTemplate(name string) {
	l.t.Helper()
	pid := l.show(name).PID
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	l.try(err)
	pidfd, err := unix.PidfdOpen(pid, 0)
	l.try(err)
	defer unix.Close(pidfd)
	found := 0
	for _, e := range entries {
		target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, e.Name()))
		if !strings.Contains(target, "/templates/") {
			continue
		}
		var n int
		_, err := fmt.Sscan(e.Name(), &n)
		l.try(err)
		fd, err := unix.PidfdGetfd(pidfd, n, 0)
		l.try(err)
		found++
		if _, err := unix.Pwrite(fd, []byte("x"), 0); err != unix.EBADF {
			l.t.Errorf("%s: pwrite to %s: %v", name, target, err)
		}
		if _, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != unix.EACCES {
			l.t.Errorf("%s: a shared mapping of %s: %v", name, target, err)
		}
		if err := unix.Ftruncate(fd, 0); err != unix.EINVAL {
			l.t.Errorf("%s: ftruncate of %s: %v", name, target, err)
		}
		unix.Close(fd)
	}
	if found < 2 { // the memory, and what is frozen of a disk
		l.t.Errorf("%s has %d descriptors of its template", name, found)
	}
}

// A template that is not what was made, or not for this host, is refused with the reason, and so is a cell
// that could be none.
func TestTemplateRefused(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("h", "accel = \"tcg\"")
	if r := l.must(3, "template", "make", "h", "--when", "never said", "--within", "2s"); !strings.Contains(r.err, `it has not said "never said" within 2s`) {
		t.Error(r)
	}
	l.nothingLeft()
	l.must(0, "template", "make", "h", "--when", "skep", "--as", "T")
	dir := l.path("state/templates/T/")
	about := filepath.Join(dir, "template.json")
	whole, err := os.ReadFile(about)
	l.try(err)
	ram, err := os.ReadFile(filepath.Join(dir, "ram"))
	l.try(err)
	refused := func(what, reason string) {
		t.Helper()
		if r := l.skep("up", "c", "--from", "T"); r.code != 2 || !strings.Contains(r.err, reason) {
			t.Errorf("%s: %s", what, r)
		}
		l.nothingLeft()
	}
	edit := func(change func(map[string]any)) {
		t.Helper()
		var all map[string]any
		l.try(json.Unmarshal(whole, &all))
		change(all)
		text, err := json.Marshal(all)
		l.try(err)
		l.try(os.WriteFile(about, text, 0o600))
	}
	edit(func(all map[string]any) { all["skep"] = "0.0.1" })
	refused("another skep", "it was made by skep 0.0.1")
	edit(func(all map[string]any) { all["board"] = "other" })
	refused("another board", "another board")
	edit(func(all map[string]any) {
		q := all["qemu"].(map[string]any)
		q["sum"], q["size"] = strings.Repeat("0", 64), 1
	})
	refused("another QEMU", "this is another")
	l.try(os.WriteFile(about, whole[:len(whole)/2], 0o600))
	refused("half a description", "cannot read the template T")
	l.try(os.WriteFile(about, whole, 0o600))

	path := filepath.Join(dir, "ram")
	l.try(os.Truncate(path, int64(len(ram)/2)))
	refused("cut", "bytes, it had")
	l.must(2, "template", "verify", "T")
	l.try(os.Truncate(path, int64(len(ram))))
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	l.try(err)
	_, err = f.WriteAt(ram, 0)
	l.try(err)
	l.try(f.Close())
	refused("written", "has been changed at")
	// The same bytes at another time: verify says so, and it can be used again.
	if r := l.must(0, "template", "verify", "T"); !strings.Contains(r.out, "as it was made") {
		t.Error(r)
	}
	l.must(0, "up", "c", "--from", "T")
	l.audit(0, "c")
	l.must(0, "kill", "c")
	l.try(os.Rename(path, path+".aside"))
	l.try(os.WriteFile(path, ram, 0o400))
	l.try(os.Remove(path + ".aside"))
	refused("swapped", "is another file")
	ram[4096] ^= 1
	l.try(os.WriteFile(path, ram, 0o400))
	if r := l.must(2, "template", "verify", "T"); !strings.Contains(r.err, "holds other bytes") {
		t.Error(r)
	}
	l.try(os.Remove(path))
	refused("gone", "no such file")
	if r := l.must(2, "run", "--from", "nosuch"); !strings.Contains(r.err, "cannot find the template nosuch") {
		t.Error(r)
	}
	l.cell("g", "accel = \"tcg\"\ngdb {\n  listen = \"127.0.0.1:1234\"\n}")
	if r := l.must(2, "template", "make", "g"); !strings.Contains(r.err, "its debugger would be in all clones") {
		t.Error(r)
	}
	l.nothingLeft()
}

// Whoever dies while a template is made, or a clone begun or ended, leaves nothing that a sweep does not
// release, and the template as it was.
func TestTemplateDeath(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("h", "accel = \"tcg\"")
	at := func(point string, args ...string) result {
		l.env = append(l.env, "SKEP_TEST_CRASH_AT="+point)
		defer func() { l.env = l.env[:len(l.env)-1] }()
		return l.skep(args...)
	}
	for _, point := range []string{"taking:template", "taken:hypervisor", "releasing:template"} {
		if r := at(point, "template", "make", "h", "--when", "skep", "--as", "T"); r.code != 128+9 {
			t.Errorf("nothing died at %s: %s", point, r)
		}
		l.must(0, "sweep")
		l.nothingLeft()
		if r := l.must(2, "up", "c", "--from", "T"); !strings.Contains(r.err, "cannot find the template T") {
			t.Errorf("half of a template is one: %s", r)
		}
	}
	l.must(0, "template", "make", "h", "--when", "skep", "--as", "T")
	before := l.sums("T")
	for _, step := range []string{"taking", "took", "taken", "releasing", "released"} {
		r := at(step+":template", "up", "c", "--from", "T")
		if r.code == 0 {
			at(step+":template", "kill", "c") // its keeper has the variable as well
		}
		l.must(0, "sweep")
		l.nothingLeft()
	}
	at("begun:hypervisor", "up", "c", "--from", "T")
	l.must(0, "sweep")
	l.nothingLeft()
	if got := l.sums("T"); got != before {
		t.Errorf("the template has changed:\n%s\nit was\n%s", got, before)
	}
	l.must(0, "up", "c", "--from", "T")
	l.must(0, "kill", "c")
	l.must(0, "template", "rm", "T")
}
