package e2e

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Disposable guests of one base: each reads the base, none reads what another
// wrote, the base stays as it is, and no layer outlives its guest.
func TestDisposable(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	base := l.baseImage("base.img", "of the base", 64<<20)
	sum := fingerprint(t, base)
	l.cell("lab", "accel = \"tcg\"\nmemory = \"192M\"\ndisk \"root\" {\n  base = \""+base+"\"\n  disposable = true\n}\n"+kernelBlock(k))
	l.must(0, "up", "lab@{1..3}")
	consoles := map[string]*live{}
	for _, name := range []string{"lab@1", "lab@2", "lab@3"} {
		c := l.console(name)
		c.expect(boot, "guest: ready")
		c.send("read\n")
		c.expect(slow, `guest: read "of the base"`)
		c.send("write by " + name + "\n")
		c.expect(slow, "guest: written")
		consoles[name] = c
	}
	for name, c := range consoles {
		c.send("read\n")
		c.expect(slow, fmt.Sprintf("guest: read %q", "by "+name))
	}
	if files := l.layersOf("lab@2"); len(files) != 1 || files[0] != "disposable-root.qcow2" {
		t.Errorf("%v", files)
	}
	l.audit(0, "lab@2")
	// Somebody who would write to the base is kept off it as long as anybody reads it.
	l.cell("writer", "accel = \"tcg\"\ndisk \"root\" { file = \""+base+"\" }")
	if r := l.must(2, "up", "writer"); !strings.Contains(r.err, "it is in use by") {
		t.Error(r)
	}
	// A start begins with the base, and so does one after everything was killed.
	l.must(0, "down", "lab@1")
	_ = os.Remove(l.path("state/cells/lab@1/console.log")) // what the start before has said
	l.must(0, "up", "lab@1")
	c := l.console("lab@1")
	c.expect(boot, "guest: ready")
	c.send("read\n")
	c.expect(slow, `guest: read "of the base"`)
	c.send("write once more\n")
	c.expect(slow, "guest: written")
	s := l.show("lab@1")
	l.try(unix.Kill(s.KeeperPID, unix.SIGKILL))
	l.try(unix.Kill(s.PID, unix.SIGKILL))
	eventually(t, slow, "both are gone", func() bool { return gone(s.KeeperPID) && gone(s.PID) })
	if len(l.layersOf("lab@1")) != 1 {
		t.Error("nothing is left that a sweep could find")
	}
	l.must(0, "sweep")
	l.must(0, "down", "lab@*")
	for _, name := range []string{"lab@1", "lab@2", "lab@3"} {
		if files := l.layersOf(name); len(files) > 0 {
			t.Errorf("%s has left %v", name, files)
		}
	}
	if fingerprint(t, base) != sum {
		t.Error("the base has changed")
	}
	l.nothingLeft()
}

// A layer is kept, is as large as its file says, and belongs to its base.
func TestKeptLayer(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	base := l.baseImage("base.img", "of the base", 64<<20)
	sum := fingerprint(t, base)
	body := func(disk string) string {
		return "accel = \"tcg\"\nmemory = \"192M\"\ndisk \"root\" {\n" + disk + "\n}\n" + kernelBlock(k)
	}
	l.cell("kept", body("base = \""+base+"\"\nsize = \"80M\""))
	talk := func(orders ...string) {
		t.Helper()
		_ = os.Remove(l.path("state/cells/kept/console.log")) // what a start before has said
		l.must(0, "up", "kept")
		c := l.console("kept")
		c.expect(boot, "guest: ready")
		for i := 0; i < len(orders); i += 2 {
			c.send(orders[i] + "\n")
			c.expect(slow, "guest: "+orders[i+1])
		}
		l.must(0, "down", "kept")
	}
	talk("read", `read "of the base"`, "write mine", "written")
	talk("read", `read "mine"`)
	layer := l.path("state/cells/kept/layer-root.qcow2")
	b, err := os.ReadFile(layer)
	l.try(err)
	if size := binary.BigEndian.Uint64(b[24:]); size != 80<<20 {
		t.Errorf("the layer has %d bytes", size)
	}
	if strings.Contains(string(b[:4096]), "base.img") {
		t.Error("the layer names its base")
	}
	if fingerprint(t, base) != sum {
		t.Error("the base has changed")
	}
	// A larger size has it grow; a smaller one than the base is refused.
	l.cell("kept", body("base = \""+base+"\"\nsize = \"96M\""))
	talk("read", `read "mine"`)
	if b, _ = os.ReadFile(layer); binary.BigEndian.Uint64(b[24:]) != 96<<20 {
		t.Error("the layer did not grow")
	}
	l.cell("kept", body("base = \""+base+"\"\nsize = \"32M\""))
	if r := l.must(2, "up", "kept"); !strings.Contains(r.err, "its size is to be 32M, and it has 64M already") {
		t.Error(r)
	}
	// Another base, and one that has been written, are not what the layer lies on.
	other := l.baseImage("other.img", "another", 64<<20+4096)
	l.cell("kept", body("base = \""+other+"\""))
	if r := l.must(2, "up", "kept"); !strings.Contains(r.err, "it is a layer of "+base) {
		t.Error(r)
	}
	l.cell("kept", body("base = \""+base+"\""))
	was, err := os.Stat(base)
	l.try(err)
	now := time.Now()
	l.try(os.Chtimes(base, now, now))
	if r := l.must(2, "up", "kept"); !strings.Contains(r.err, "has been written since the layer was made") {
		t.Error(r)
	}
	l.must(2, "check", "--host", "kept")
	l.try(os.Chtimes(base, was.ModTime(), was.ModTime()))
	talk("read", `read "mine"`)
	// rm leaves the layer, and disk rm removes it with what says what it lies on.
	if r := l.must(0, "rm", "kept"); !strings.Contains(r.err, "layer-root.qcow2 stays") {
		t.Error(r)
	}
	talk("read", `read "mine"`)
	l.must(0, "disk", "rm", "--yes", "kept", "root")
	if files := l.layersOf("kept"); len(files) > 0 {
		t.Errorf("%v", files)
	}
	talk("read", `read "of the base"`)
	l.nothingLeft()
}

// A qcow2 base is read as what its cell file says it is, and one that names
// another file is refused.
func TestQcow2Base(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	tool, err := exec.LookPath("qemu-img")
	if err != nil {
		t.Skip("qemu-img is not installed")
	}
	raw := l.baseImage("raw.img", "of the base", 16<<20)
	for _, args := range [][]string{
		{"convert", "-O", "qcow2", raw, l.path("base.qcow2")},
		{"create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", l.path("onto.qcow2")},
	} {
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s", out)
		}
	}
	cellOf := func(base string) {
		l.cell("q", "accel = \"tcg\"\nmemory = \"192M\"\ndisk \"root\" {\n base = \""+base+"\"\n}\n"+kernelBlock(k))
	}
	cellOf(l.path("onto.qcow2"))
	if r := l.must(2, "up", "q"); !strings.Contains(r.err, "it has a backing file") {
		t.Error(r)
	}
	sum := fingerprint(t, l.path("base.qcow2"))
	cellOf(l.path("base.qcow2"))
	l.must(0, "up", "q")
	c := l.console("q")
	c.expect(boot, "guest: ready")
	c.send("read\n")
	c.expect(slow, `guest: read "of the base"`)
	c.send("write mine\n")
	c.expect(slow, "guest: written")
	l.must(0, "down", "q")
	if fingerprint(t, l.path("base.qcow2")) != sum {
		t.Error("the base has changed")
	}
	if out, err := exec.Command(tool, "check", l.path("state/cells/q/layer-root.qcow2")).CombinedOutput(); err != nil {
		t.Errorf("the layer is damaged: %s", out)
	}
	l.nothingLeft()
}

// A guest that writes more than limits.disk lets its layer grow to is paused; the
// host's disk is not filled.
func TestLayerBound(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	base := l.baseImage("base.img", "of the base", 128<<20)
	l.cell("b", "accel = \"tcg\"\nmemory = \"192M\"\ndisk \"root\" {\n base = \""+base+"\"\n}\njail {\n limits {\n disk = \"16M\"\n }\n}\n"+kernelBlock(k))
	l.must(0, "up", "b")
	c := l.console("b")
	c.expect(boot, "guest: ready")
	c.send("pump 40\n")
	eventually(t, slow, "ps says paused", func() bool {
		out := l.must(0, "ps").out
		return strings.Contains(out, "paused") && strings.Contains(out, "disk root: ")
	})
	info, err := os.Stat(l.path("state/cells/b/layer-root.qcow2"))
	l.try(err)
	if info.Size() > 16<<20 {
		t.Errorf("the layer has %d bytes", info.Size())
	}
	t.Log(l.must(0, "ps").out)
	l.must(0, "kill", "b")
	l.nothingLeft()
}
