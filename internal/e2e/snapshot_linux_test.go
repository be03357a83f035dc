package e2e

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A guest that runs goes back with its disk and its memory, as often as is
// asked, in the same sealed jail, with a console joined; the console works on.
func TestSnapshotRunning(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	base := l.baseImage("base.img", "of the base", 64<<20)
	l.cell("s", "accel = \"tcg\"\nmemory = \"192M\"\ndisk \"root\" {\n  base = \""+base+"\"\n}\n"+kernelBlock(k))
	l.must(0, "up", "s")
	c := l.console("s")
	c.expect(boot, "guest: ready")
	talk := func(order, answer string) {
		t.Helper()
		c.send(order + "\n")
		c.expect(slow, "guest: "+answer)
	}
	talk("count", "count 1")
	talk("write before", "written")
	l.must(0, "snapshot", "s", "clean")
	if r := l.must(2, "snapshot", "s", "clean"); !strings.Contains(r.err, "it is there already") {
		t.Error(r)
	}
	talk("count", "count 2")
	talk("write after", "written")
	talk("read", `read "after"`)
	for range 2 {
		l.must(0, "revert", "s", "clean")
		talk("count", "count 2")
		talk("read", `read "before"`)
		talk("write again", "written")
	}
	l.audit(0, "s")
	pid := l.show("s").PID
	if r := l.must(2, "revert", "s", "nosuch"); !strings.Contains(r.err, "cannot find the snapshot nosuch") {
		t.Error(r)
	}
	if l.show("s").PID != pid || !strings.Contains(l.must(0, "snapshot", "ls", "s").out, "disks and memory") {
		t.Error("another process, or another list")
	}
	// What was begun and cannot be undone now is not forgotten: the image takes no more.
	note := l.path("state/cells/s/snapshots.json")
	var all map[string]any
	text, err := os.ReadFile(note)
	l.try(err)
	l.try(json.Unmarshal(text, &all))
	all["making"] = "half"
	l.must(0, "snapshot", "s", "half")
	text, _ = json.Marshal(all)
	l.try(os.WriteFile(note, text, 0o600))
	var was unix.Rlimit
	l.try(unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &was))
	// The hard limit stays: root of a small machine may not raise one again.
	l.try(unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 4096, Max: was.Max}, nil))
	if r := l.must(1, "snapshot", "s", "next"); !strings.Contains(r.err, "remove half of the snapshot half") {
		t.Error(r)
	}
	if text, _ := os.ReadFile(note); !strings.Contains(string(text), `"making":"half"`) {
		t.Errorf("what was begun is forgotten: %s", text)
	}
	l.try(unix.Prlimit(pid, unix.RLIMIT_FSIZE, &was, nil))
	l.must(0, "snapshot", "s", "next")
	l.must(0, "snapshot", "rm", "s", "next")
	// What it belongs to is gone: another board.
	l.must(0, "down", "s")
	l.must(2, "revert", "s", "clean")
	l.cell("s", "accel = \"tcg\"\ncpus = 2\nmemory = \"192M\"\ndisk \"root\" {\n  base = \""+base+"\"\n}\n"+kernelBlock(k))
	l.must(0, "up", "s")
	if r := l.must(2, "revert", "s", "clean"); !strings.Contains(r.err, "another QEMU, other devices or other bases") {
		t.Error(r)
	}
	l.must(0, "kill", "s")
	l.must(0, "snapshot", "rm", "s", "clean")
	if out := l.must(0, "snapshot", "ls", "s").out; strings.Contains(out, "clean") {
		t.Error(out)
	}
	l.nothingLeft()
}

// The network of a guest that was reverted works, though the host's side of its card has gone on: a counter in its
// memory, what is on its disk and its connections are those of before.
func TestRevertWithANetwork(t *testing.T) {
	k := needKernel(t)
	needTap(t)
	t.Parallel()
	ns, l := newNetns(t), newLab(t)
	server := ns.answer("an answer")
	base := l.baseImage("base.img", "of the base", 64<<20)
	l.cell("n", "accel = \"tcg\"\nmemory = \"192M\"\ndisk \"root\" {\n  base = \""+base+"\"\n}\nnic \"lan\" { bridge = \"br0\" }\n"+kernelBlock(k))
	l.in = ns
	l.must(0, "up", "n")
	c := l.console("n")
	c.expect(boot, "guest: ready")
	talk := func(order, answer string) {
		t.Helper()
		c.send(order + "\n")
		c.expect(slow, "guest: "+answer)
	}
	ask := func() {
		t.Helper()
		talk("ask "+guestAddress+" "+server, `answer "an answer to question"`)
	}
	ask()
	talk("count", "count 1")
	talk("write before", "written")
	l.must(0, "snapshot", "n", "clean")
	for range 2 {
		talk("count", "count 2")
		talk("write after", "written")
		ask()
		begin := time.Now()
		l.must(0, "revert", "n", "clean")
		t.Logf("reverted in %s", time.Since(begin).Round(time.Millisecond))
		talk("read", `read "before"`)
		ask()
	}
	talk("count", "count 2")
	l.audit(0, "n")
	l.must(0, "kill", "n")
	l.nothingLeft()
}

// The disks of a cell that does not run go back together, qcow2 and raw, and a
// cell whose revert was cut off is not started before that is finished. Ten at
// once come one after the other.
func TestSnapshotStopped(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	base := l.baseImage("base.img", "of the base", 16<<20)
	raw := l.path("data.img")
	l.cell("s", "accel = \"tcg\"\ndisk \"root\" {\n  base = \""+base+"\"\n}\ndisk \"data\" {\n  file = \""+raw+"\"\n  size = \"1M\"\n}")
	l.must(0, "up", "s")
	if r := l.must(2, "snapshot", "s", "t"); !strings.Contains(r.err, `disk "data" is not a qcow2 image`) {
		t.Error(r)
	}
	l.must(0, "down", "s")
	l.try(os.WriteFile(raw, []byte(strings.Repeat("a", 1<<20)), 0o600))
	l.must(0, "snapshot", "s", "a")
	l.try(os.WriteFile(raw, []byte(strings.Repeat("b", 1<<20)), 0o600))
	l.must(2, "snapshot", "s", "9")
	l.must(2, "snapshot", "s", "../x")
	l.must(0, "revert", "s", "a")
	if b, err := os.ReadFile(raw); err != nil || b[0] != 'a' || len(b) != 1<<20 {
		t.Errorf("the raw disk did not go back: %v", err)
	}
	// As a crash would leave it.
	path := l.path("state/cells/s/snapshots.json")
	var all map[string]any
	text, err := os.ReadFile(path)
	l.try(err)
	l.try(json.Unmarshal(text, &all))
	all["reverting"] = "a"
	text, _ = json.Marshal(all)
	l.try(os.WriteFile(path, text, 0o600))
	if r := l.must(2, "up", "s"); !strings.Contains(r.err, "going back to a was cut off") {
		t.Error(r)
	}
	l.must(0, "revert", "s", "a")
	l.must(0, "up", "s")
	// What was begun before the start and cut off goes with the next command, though the cell runs.
	half := l.write("state/cells/s/layer-data@c.raw", "half")
	all["reverting"], all["making"] = "", "c"
	text, _ = json.Marshal(all)
	l.try(os.WriteFile(path, text, 0o600))
	l.must(2, "snapshot", "rm", "s", "nosuch")
	if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half of a snapshot is left: %v", err)
	}
	l.must(0, "down", "s")
	done := make(chan result, 10)
	for i := range cap(done) {
		go func() {
			if i%2 == 0 {
				done <- l.skep("revert", "s", "a")
			} else {
				done <- l.skep("snapshot", "s", "n"+string(rune('a'+i)))
			}
		}()
	}
	for range cap(done) {
		if r := <-done; r.code != 0 && !strings.Contains(r.err, "already running") {
			t.Error(r)
		}
	}
	l.must(0, "revert", "s", "a")
	l.must(0, "up", "s")
	l.must(0, "down", "s")
	var st unix.Stat_t
	l.try(unix.Stat(raw, &st))
	l.nothingLeft()
}
