package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"skep/guest/hello"
	"skep/internal/kinfo"
	"skep/internal/process"
)

// aWorker is who reads what a cell's bhyve and its guest say.
type aWorker struct {
	PID, UID, Restarts int
	Start              uint64
	Reason             string
}

func (l *lab) workerOf(name string) (w aWorker) {
	l.t.Helper()
	var c struct{ Worker aWorker }
	r := l.must(0, "show", "--json", name)
	if err := json.Unmarshal([]byte(r.out), &c); err != nil {
		l.t.Fatalf("%v\n%s", err, r)
	}
	return c.Worker
}

// another waits until a cell has a worker that it had not.
func (l *lab) anotherWorker(name string, than aWorker) aWorker {
	l.t.Helper()
	eventually(l.t, slow, "another worker", func() bool { w := l.workerOf(name); return w.PID != 0 && w.PID != than.PID })
	return l.workerOf(name)
}

// A worker has no rights; where it dies, is stopped or loses its keeper, the guest goes on, another one is
// there, and the log says so.
func TestWorkerOnFreeBSD(t *testing.T) {
	l := clean(t)
	l.cell("w", "screen {}")
	l.must(0, "up", "w")
	first, cell := l.workerOf("w"), l.show("w")
	p, err := process.Look(first.PID)
	if err != nil {
		t.Fatal(err)
	}
	hypervisor, err := process.Look(cell.PID)
	if err != nil {
		t.Fatal(err)
	}
	if p.UID == 0 || p.UID != first.UID || p.RUID != p.UID || p.SVUID != p.UID || p.UID == hypervisor.UID || p.JID == 0 || p.JID == hypervisor.JID || !p.Capability {
		t.Errorf("the worker is %+v, bhyve %+v", p, hypervisor)
	}
	for _, f := range openFilesOf(t, first.PID) {
		if f.FD >= 0 && f.Type == kinfo.TypeVnode && f.Vnode == kinfo.Directory {
			t.Errorf("it has a directory: %+v", f)
		}
	}
	if entries, err := os.ReadDir(l.path("run/cells/w/worker")); err != nil || len(entries) > 0 {
		t.Errorf("its rootfs holds %v (%v)", entries, err)
	}
	r := l.must(0, "audit", "w")
	for _, row := range []string{"worker-uid", "worker-capsicum", "worker-jail", "worker-rootfs", "worker-descriptors", "worker-descriptor-rights"} {
		if !strings.Contains(r.out, row) {
			t.Errorf("no row %s\n%s", row, r)
		}
	}
	l.must(0, "screenshot", "w", "-o", l.path("one.png"))

	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := l.anotherWorker("w", first)
	if now := l.show("w"); now.PID != cell.PID || now.State != "running" || second.Restarts != 1 || !strings.Contains(second.Reason, "SIGKILL") {
		t.Errorf("the guest was %d and is %d, %s; the worker %+v", cell.PID, now.PID, now.State, second)
	}
	if r := l.must(0, "log", "w"); !strings.Contains(r.out, "[skep: the worker was started again: it was ended by SIGKILL]") {
		t.Error(r)
	}
	// Two hear the same.
	v, other := l.live("console", "w"), l.live("console", "w")
	time.Sleep(time.Second) // until both have joined
	v.send("?")
	v.expect(slow, "?")
	other.expect(slow, "?")
	for _, v := range []*live{v, other} {
		_ = v.cmd.Process.Signal(syscall.SIGTERM)
		<-v.done
	}
	l.must(0, "screenshot", "w", "-o", l.path("two.png"))
	l.must(0, "audit", "w")

	// One that is stopped has some seconds to answer.
	if err := syscall.Kill(second.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if r := l.skep("screenshot", "w", "-o", l.path("none.png")); r.code == 0 || !strings.Contains(r.err, "no answer") {
		t.Error(r)
	}
	third := l.anotherWorker("w", second)
	if !strings.Contains(third.Reason, "does not answer") {
		t.Errorf("%+v", third)
	}

	// It ends with its keeper, and the next keeper has another.
	if err := syscall.Kill(cell.KeeperPID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, slow, "the worker is gone", func() bool { return !process.Lives(third.PID, third.Start) })
	l.must(0, "adopt", "w")
	fourth := l.anotherWorker("w", third)
	if now := l.show("w"); now.PID != cell.PID || now.State != "running" {
		t.Errorf("the guest was %d and is %d, %s", cell.PID, now.PID, now.State)
	}
	l.must(0, "audit", "w")
	l.must(0, "kill", "w")
	eventually(t, slow, "the worker is gone", func() bool { return !process.Lives(fourth.PID, fourth.Start) })
}

// openFilesOf are the descriptors of a process.
func openFilesOf(t *testing.T, pid int) []kinfo.File {
	t.Helper()
	b, err := kinfo.List("kern.proc.filedesc", pid)
	if err != nil {
		t.Fatal(err)
	}
	files, err := kinfo.ParseFiles(b)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// flooding is what the built-in guest floods its console with.
const flooding = "this line comes again and again"

// While the guest floods its console, a viewer watches and somebody takes a screenshot, the keeper reads nothing but
// the messages of its worker and of commands: ktrace(1) shows each call.
func TestKeeperReadsNothing(t *testing.T) {
	if _, err := exec.LookPath("ktrace"); err != nil {
		t.Skip("ktrace(1) is not installed")
	}
	l := clean(t)
	l.cell("flood", "screen {}\nconsole { log_size = \"64K\" }")
	l.must(0, "up", "flood")
	trace := filepath.Join(t.TempDir(), "trace")
	keeper := fmt.Sprint(l.show("flood").KeeperPID)
	if out, err := exec.Command("ktrace", "-f", trace, "-t", "ci", "-p", keeper).CombinedOutput(); err != nil {
		t.Fatalf("ktrace: %v: %s", err, out)
	}
	viewer, err := net.Dial("unix", l.path("run/cells/flood/screen.sock"))
	if err != nil {
		t.Fatal(err)
	}
	hello12 := make([]byte, 12)
	if _, err := viewer.Read(hello12); err != nil || !strings.HasPrefix(string(hello12), "RFB ") {
		t.Errorf("the screen says %q (%v)", hello12, err)
	}
	viewer.Close()
	v := l.live("console", "flood")
	v.expect(slow, hello.Commands)
	v.send("f")
	path := l.path("state/cells/flood/console.log")
	v.expect(slow, flooding)
	v.expect(slow, flooding)
	eventually(t, slow, "the log has the flood", func() bool {
		b, err := os.ReadFile(path)
		return err == nil && bytes.Count(b, []byte(flooding)) > 20
	})
	l.must(0, "screenshot", "flood", "-o", l.path("shot.png"))
	if out, err := exec.Command("ktrace", "-c", "-f", trace, "-p", keeper).CombinedOutput(); err != nil {
		t.Fatalf("ktrace: %v: %s", err, out)
	}
	out, err := exec.Command("kdump", "-f", trace).Output()
	if err != nil {
		t.Fatal(err)
	}
	calls, read := 0, 0
	for _, m := range regexp.MustCompile(`RET +(read|readv|pread|preadv|recvfrom|recvmsg) (\d+)`).FindAllStringSubmatch(string(out), -1) {
		n, _ := strconv.Atoi(m[2])
		calls, read = calls+1, read+n
	}
	if calls == 0 || read > 100<<10 {
		t.Errorf("the keeper has read %d bytes in %d calls", read, calls)
	}
	for _, theirs := range []string{"RFB 0", hello.Commands, flooding, "IHDR"} {
		if strings.Contains(string(out), theirs) {
			t.Errorf("the keeper has read or written %q", theirs)
		}
	}
	l.must(0, "kill", "flood")
	<-v.done
	if info, err := os.Stat(path); err != nil || info.Size() > 64<<10 {
		t.Errorf("the log that stays: %v %v", info, err)
	}
}
