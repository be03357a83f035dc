package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skep/guest/hello"
	"skep/internal/jail/freebsdjail"
	"skep/internal/process"
)

// slow is how long anything may take on a busy host, or an emulated one.
const slow = 3 * time.Minute

// needCells skips where no cell can run, and says why.
func needCells(t testing.TB) {
	t.Helper()
	if why := hostLacks(); why != "" {
		t.Skip(why)
	}
}

func sysctlThere(name string) bool {
	_, err := unix.SysctlRaw(name)
	return err != unix.ENOENT
}

func file(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// snapshot is all that a cell could leave on a host, as text.
func snapshot(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	for _, line := range []string{
		"jls name path", "mount -p", "devfs rule showsets", "ifconfig -l", "ls /dev/vmm /dev/vmm.io",
		"find /dev -name nmdm*", "find /dev -name tap*", "rctl",
	} {
		argv := strings.Fields(line)
		out, _ := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		rows := strings.Split(string(out), "\n")
		slices.Sort(rows) // interfaces and mounts come in the order they were made
		fmt.Fprintf(&b, "$ %s\n%s\n", line, strings.Join(rows, "\n"))
	}
	return b.String()
}

// clean is a lab whose host must be as it was when the test is over.
func clean(t *testing.T) *lab {
	t.Helper()
	needCells(t)
	before := snapshot(t)
	l := newLab(t)
	t.Cleanup(func() {
		l.tell()
		l.skep("down", "--all", "--force")
		l.skep("sweep")
		// A process is gone some time after it was killed.
		after := ""
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
			if after = snapshot(t); after == before {
				return
			}
		}
		t.Errorf("something is left behind\n--- before\n%s--- after\n%s", before, after)
	})
	return l
}

// tell prints what skep and each keeper said of the cells of a test that has failed.
func (l *lab) tell() {
	if !l.t.Failed() {
		return
	}
	l.t.Log(l.skep("ps", "-a"))
	logs, _ := filepath.Glob(l.path("state/cells/*/*per*.log")) // the keeper's and bhyve's
	for _, path := range logs {
		if b, err := os.ReadFile(path); err == nil {
			l.t.Logf("%s:\n%s", path, b[max(0, len(b)-4096):])
		}
	}
}

// TestCellFates: each order of the built-in guest, and the status it leads to.
func TestCellFates(t *testing.T) {
	l := clean(t)
	for _, c := range []struct {
		order string
		code  int
		says  string
	}{
		{"q", 0, "power off"},
		{"t", 3, "triple fault"},
	} {
		if c.order == "t" && !bareEnds(t, c.order) {
			t.Log("even a bare bhyve does not end at a triple fault on this processor: not tested")
			continue
		}
		r := l.typed(c.order, "run", "hello")
		if r.code != c.code || !strings.Contains(r.out, hello.Greeting) || !strings.Contains(r.out, c.says) {
			t.Errorf("order %q: want %d\n%s", c.order, c.code, r)
		}
		if !strings.Contains(r.err, "0 files, 0 device nodes") {
			t.Errorf("the rootfs was not empty: %s", r.err)
		}
	}
}

// bareEnds says whether a bhyve without skep ends at an order: an emulated
// processor may know no triple fault.
func bareEnds(t *testing.T, order string) bool {
	t.Helper()
	rom := filepath.Join(t.TempDir(), "hello.rom")
	if err := os.WriteFile(rom, hello.ROM(), 0o600); err != nil {
		t.Fatal(err)
	}
	const vm = "skep-bare"
	cmd := exec.Command("bhyve", "-c", "1", "-m", "64M", "-H", "-s", "0,hostbridge", "-s", "31,lpc", "-l", "com1,stdio", "-l", "bootrom,"+rom, vm)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer exec.Command("bhyvectl", "--vm="+vm, "--destroy").Run()
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	_, _ = in.Write([]byte(order))
	select {
	case <-done:
		return true
	case <-time.After(10 * time.Second):
		_ = cmd.Process.Kill()
		<-done
		return false
	}
}

// TestCellResets: a reset is another bhyve in the same jail, with the rootfs as
// it was; too many hold the cell.
func TestCellResets(t *testing.T) {
	l := clean(t)
	// What the guest keeps: none of it may be touched when the rootfs is made again.
	kept := map[string][]byte{}
	for _, name := range []string{"a.img", "b.iso", "share/file"} {
		kept[name] = bytes.Repeat([]byte(name+" is what the guest keeps\n"), 32<<10)[:512<<10]
		l.write(name, string(kept[name]))
	}
	l.cell("again", `restart_limit { starts = 2 }
disk "a" { file = "`+l.path("a.img")+`" }
disk "b" { iso = "`+l.path("b.iso")+`" }
share "s" { path = "`+l.path("share")+`" }`)
	defer func() {
		for name, want := range kept {
			if got, err := os.ReadFile(l.path(name)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("after the resets %s has %d bytes, of %d (%v)", name, len(got), len(want), err)
			}
		}
	}()
	l.must(0, "up", "again")
	first := l.show("again")
	v := l.console("again")
	v.expect(slow, hello.Commands)
	for n := 1; n <= 2; n++ {
		v.send("r")
		eventually(t, slow, "a reset", func() bool { s := l.show("again"); return s.Resets == n && s.PID != first.PID })
		v.expect(slow, hello.Greeting)
		if s := l.show("again"); s.Reach == nil || s.Reach.Files != 3 || s.Reach.Nodes != 0 {
			t.Errorf("after reset %d the rootfs holds %+v: %s, %s", n, s.Reach, s.State, s.Reason)
		}
	}
	v.send("r")
	eventually(t, slow, "held", func() bool { return l.show("again").State == "held" })
}

// TestCellExistingTree: in a tree of the administrator's, what is ours has names
// of ours, and goes; what is theirs stays as it is.
func TestCellExistingTree(t *testing.T) {
	l := clean(t)
	tree := l.path("tree")
	theirs := map[string]string{"firmware.fd": "theirs", "bhyve.conf": "theirs", "disk/a": "theirs", "share/s/file": "theirs", "run/file": "theirs"}
	for name, text := range theirs {
		l.write("tree/"+name, text)
	}
	for _, f := range append(strings.Fields(must(t, "ldd", "-f", "%p\\n", "/usr/sbin/bhyve")), "/usr/sbin/bhyve", "/libexec/ld-elf.so.1") {
		if filepath.IsAbs(f) { // and not "[vdso]"
			must(t, "mkdir", "-p", filepath.Dir(tree+f))
			must(t, "cp", f, tree+f)
		}
	}
	l.write("a.img", strings.Repeat("a", 1<<20))
	l.write("given/file", "the host's")
	l.cell("treed", `jail { root = "`+tree+`" }
disk "a" { file = "`+l.path("a.img")+`" }
share "s" { path = "`+l.path("given")+`" }`)
	first := l.must(0, "up", "treed")
	v := l.console("treed")
	v.expect(slow, hello.Commands)
	if text, err := os.ReadFile(tree + "/.skep/share/s/file"); err != nil || string(text) != "the host's" {
		t.Errorf("the share: %q, %v\n%s", text, err, first)
	}
	v.send("r")
	v.expect(slow, hello.Greeting)
	l.must(0, "audit", "treed")
	l.must(0, "down", "treed")
	if _, err := os.Lstat(tree + "/.skep"); err == nil {
		t.Error("left behind: .skep")
	}
	for name, text := range theirs {
		if got, err := os.ReadFile(tree + "/" + name); err != nil || string(got) != text {
			t.Errorf("%s of the tree is now %q, %v", name, got, err)
		}
	}
	if got, err := os.ReadFile(l.path("a.img")); err != nil || string(got) != strings.Repeat("a", 1<<20) {
		t.Errorf("the disk has %d bytes, %v", len(got), err)
	}
}

// TestCellPromises: what the live process shows, asked of the kernel here and
// not of skep.
func TestCellPromises(t *testing.T) {
	l := clean(t)
	l.cell("seen", "")
	l.must(0, "up", "seen")
	s := l.show("seen")
	info, err := process.Look(s.PID)
	if err != nil || !info.Capability || info.JID == 0 {
		t.Fatalf("%+v, %v", info, err)
	}
	for _, d := range freebsdjail.Evidence(s.PID, info.JID) {
		if d.Verdict != "applied" {
			t.Errorf("%s: %s (%s)", d.ID, d.Verdict, d.Detail)
		}
	}
	for _, name := range []string{"allow.suser", "allow.raw_sockets", "allow.set_hostname", "allow.mount", "allow.reserved_ports", "allow.chflags"} {
		if on, err := freebsdjail.Permission(info.JID, name); err != nil || on {
			t.Errorf("%s is %v, %v", name, on, err)
		}
	}
	if on, err := freebsdjail.Permission(info.JID, "allow.vmm"); err != nil || !on {
		t.Errorf("allow.vmm is %v, %v", on, err)
	}
	root := l.path("run/cells/seen/root")
	if left, _ := exec.Command("find", root, "-type", "f").Output(); len(left) != 0 {
		t.Errorf("files left: %s", left)
	}
	if nodes, _ := exec.Command("find", root+"/dev", "-not", "-type", "d").Output(); len(nodes) != 0 {
		t.Errorf("nodes left: %s", nodes)
	}
	l.must(0, "down", "seen")
}

// TestCellFileBound: an intruder in bhyve can make no file larger than the largest that it was given,
// and so cannot fill the host's disk by way of an image that grows.
func TestCellFileBound(t *testing.T) {
	l := clean(t)
	l.cell("bound", `disk "a" {
  file = "`+l.path("a.img")+`"
  size = "3M"
}`)
	l.must(0, "up", "bound")
	out, err := exec.Command("procstat", "rlimit", strconv.Itoa(l.show("bound").PID)).CombinedOutput()
	if err != nil || !regexp.MustCompile(`filesize +3145728 B +3145728 B`).Match(out) {
		t.Errorf("%v\n%s", err, out)
	}
	l.must(0, "down", "bound")
}

// TestCellNeighbours: neither of two cells sees anything of the other, nor a
// device of the host's. Their rules are applied to a /dev of our own, because
// theirs is empty by now.
func TestCellNeighbours(t *testing.T) {
	l := clean(t)
	bridge := newBridge(t)
	for _, name := range []string{"one", "one2"} {
		l.cell(name, "nic \"lan\" { bridge = \""+bridge+"\" }")
		l.must(0, "up", name)
	}
	for name, other := range map[string]string{"one": "one2", "one2": "one"} {
		dir := t.TempDir()
		if err := freebsdjail.Mount("devfs", dir, [2]string{"from", "devfs"}, [2]string{"ruleset", strconv.Itoa(ruleset(t, l, name))}); err != nil {
			t.Fatal(err)
		}
		out, _ := exec.Command("find", dir, "-not", "-type", "d").Output()
		if err := freebsdjail.Unmount(dir); err != nil {
			t.Fatal(err)
		}
		nodes := strings.Fields(strings.ReplaceAll(string(out), dir+"/", ""))
		want := []string{"nmdm-" + name + "A", "vmm.io/" + name + ".bootrom", "vmm/" + name}
		if file("/dev/vmmctl") {
			want = append(want, "null") // which that name is a link to
		}
		count := len(want) + 1
		for _, n := range nodes {
			if regexp.MustCompile(`^tap\d+$`).MatchString(n) {
				want = append(want, n)
			}
		}
		slices.Sort(nodes)
		slices.Sort(want)
		if !slices.Equal(nodes, want) || len(want) != count {
			t.Errorf("%s sees %v, want %v; its neighbour is %s", name, nodes, want, other)
		}
	}
}

func ruleset(t *testing.T, l *lab, name string) int {
	t.Helper()
	out, err := exec.Command("jls", "-j", "skep-"+name, "devfs_ruleset").Output()
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(out)))
	return n
}

// newBridge makes a bridge of the test's own.
func newBridge(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("ifconfig", "bridge", "create").Output()
	if err != nil {
		t.Skipf("no bridge can be made: %v", err)
	}
	name := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("ifconfig", name, "destroy").Run() })
	return name
}

// TestCellNetworks: none, one of its own, and one of the host's addresses.
func TestCellNetworks(t *testing.T) {
	l := clean(t)
	l.cell("none", "")
	l.cell("vnet", "jail { network = \"vnet\" }")
	l.cell("shared", "jail {\n network = \"shared\"\n ip4 = [\"127.0.0.1\"]\n}")
	for name, want := range map[string]string{"none": "disable inherit", "vnet": "new", "shared": "127.0.0.1 disable inherit"} {
		l.must(0, "up", name)
		out, err := exec.Command("jls", "-j", "skep-"+name, "ip4.addr", "ip6", "vnet").Output()
		if got := strings.TrimSpace(string(out)); err != nil || !strings.HasSuffix(got, want) {
			t.Errorf("%s: ip4.addr, ip6, vnet are %q (%v), want %q", name, got, err, want)
		}
		l.must(0, "down", name)
	}
}

// TestCellKilled: whatever dies, and whenever, a sweep leaves nothing.
func TestCellKilled(t *testing.T) {
	l := clean(t)
	for _, c := range []struct {
		what string
		do   func(s cellState)
	}{
		{"bhyve", func(s cellState) { _ = syscall.Kill(s.PID, syscall.SIGKILL) }},
		{"the keeper", func(s cellState) { _ = syscall.Kill(s.KeeperPID, syscall.SIGKILL) }},
		{"both", func(s cellState) {
			_ = syscall.Kill(s.KeeperPID, syscall.SIGKILL)
			_ = syscall.Kill(s.PID, syscall.SIGKILL)
		}},
		{"the keeper, and the journal is empty", func(s cellState) {
			_ = os.Truncate(l.path("run/cells/victim/journal"), 0)
			_ = syscall.Kill(s.KeeperPID, syscall.SIGKILL)
		}},
		{"a keeper that hears nothing", func(s cellState) {
			_ = syscall.Kill(s.KeeperPID, syscall.SIGSTOP)
			l.must(0, "kill", "victim")
		}},
		{"the jail", func(cellState) { _ = exec.Command("jail", "-r", "skep-victim").Run() }},
	} {
		l.cell("victim", "")
		l.must(0, "up", "victim")
		c.do(l.show("victim"))
		eventually(t, slow, c.what+" gone", func() bool {
			l.skep("sweep")
			_, err := freebsdjail.FindPrison("skep-victim")
			return err != nil && !file(l.path("run/cells/victim")) // its keeper is through as well
		})
	}
}

// TestCellAdopted: a guest whose keeper has died is taken up again, console,
// button, reset and all.
func TestCellAdopted(t *testing.T) {
	l := clean(t)
	l.cell("orphan", "")
	l.must(0, "up", "orphan")
	first := l.show("orphan")
	_ = syscall.Kill(first.KeeperPID, syscall.SIGKILL)
	eventually(t, slow, "another keeper", func() bool {
		l.skep("adopt", "--all")
		s := l.show("orphan")
		return s.State == "running" && s.KeeperPID != 0 && s.KeeperPID != first.KeeperPID
	})
	if s := l.show("orphan"); s.PID != first.PID {
		t.Errorf("it is another bhyve: %d, not %d", s.PID, first.PID)
	}
	v := l.console("orphan")
	v.send("zap")
	v.expect(slow, "zap")
	v.send("r")
	v.expect(slow, hello.Greeting)
	v.send("q")
	eventually(t, slow, "stopped", func() bool { return l.show("orphan").State == "stopped" })
}

// TestCellPaused: a paused guest executes nothing until it is resumed, whatever becomes of its keeper.
func TestCellPaused(t *testing.T) {
	l := clean(t)
	l.cell("still", "")
	l.must(0, "up", "still")
	v := l.console("still")
	v.send("x")
	v.expect(slow, "x")
	l.must(0, "pause", "still")
	v.send("abc")
	stands := func(what string) {
		t.Helper()
		if s := l.show("still"); s.State != "paused" || s.Suspended != "skep pause" {
			t.Errorf("%s: %s, by %q", what, s.State, s.Suspended)
		}
		time.Sleep(time.Second)
		if strings.Contains(v.out.String(), "abc") {
			t.Errorf("%s: the guest executes", what)
		}
	}
	stands("paused")
	keeper := l.show("still").KeeperPID
	_ = syscall.Kill(keeper, syscall.SIGKILL)
	eventually(t, slow, "another keeper", func() bool {
		l.skep("adopt", "--all")
		s := l.show("still")
		return s.KeeperPID != 0 && s.KeeperPID != keeper && s.State == "paused"
	})
	l.must(0, "resume", "still")
	v = l.console("still")
	v.send("zap")
	v.expect(slow, "zap")
	l.must(0, "pause", "still")
	l.must(0, "kill", "still")
	if s := l.show("still"); s.Suspended != "" {
		t.Errorf("ended, and suspended by %q", s.Suspended)
	}
}

// TestCellCrashPoints kills the keeper between two steps, before and after each
// resource.
func TestCellCrashPoints(t *testing.T) {
	l := clean(t)
	for _, at := range []string{
		"taking:root", "took:root", "took:ruleset", "took:dev", "took:jail", "taken:jail", "took:limits", "taken:vm", "took:hypervisor",
		"releasing:hypervisor", "released:vm", "releasing:jail", "released:jail", "releasing:root", "released:ruleset",
	} {
		l.cell("crash", "")
		env := l.env
		l.env = append(slices.Clone(env), "SKEP_TEST_CRASH_AT="+at)
		l.typed("q", "run", "crash")
		l.env = env
		l.must(0, "sweep")
		if _, err := freebsdjail.FindPrison("skep-crash"); err == nil {
			t.Errorf("killed at %s: the jail is still there after a sweep", at)
		}
		if file("/dev/vmm/crash") {
			t.Errorf("killed at %s: the VM is still there after a sweep", at)
		}
	}
}

// TestCellScreen: the frame buffer listens where nobody else can reach it.
func TestCellScreen(t *testing.T) {
	l := clean(t)
	l.write("pw", "secret12\n")
	l.cell("shown", "screen { password_file = \""+l.path("pw")+"\" }")
	l.must(0, "up", "shown")
	s := l.show("shown")
	if c, err := net.DialTimeout("tcp", "127.0.0.1:5900", time.Second); err == nil {
		c.Close()
		t.Error("the host's own loopback reaches the screen")
	}
	argv, _ := exec.Command("ps", "-ww", "-o", "args=", "-p", strconv.Itoa(s.PID)).Output()
	env, _ := exec.Command("procstat", "penv", strconv.Itoa(s.PID)).Output()
	if strings.Contains(string(argv)+string(env), "secret12") {
		t.Error("the password is in the arguments or the environment")
	}
	l.must(0, "screenshot", "shown", "-o", l.path("shot.png"))
	if info, err := os.Stat(l.path("shot.png")); err != nil || info.Size() < 100 {
		t.Errorf("the screenshot: %v, %v", info, err)
	}
}

// TestCellDisks: an image, its lock, and a volume.
func TestCellDisks(t *testing.T) {
	l := clean(t)
	image := l.path("a.img")
	if err := os.WriteFile(image, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"first", "second"} {
		l.cell(name, "disk \"a\" { file = \""+image+"\" }")
	}
	l.must(0, "up", "first")
	r := l.must(2, "up", "second")
	if !strings.Contains(r.err, "in use") {
		t.Errorf("%s", r)
	}
	// The lock is bhyve's as well: it outlives the keeper.
	_ = syscall.Kill(l.show("first").KeeperPID, syscall.SIGKILL)
	l.must(2, "up", "second")
}

func TestCellZvol(t *testing.T) {
	l := clean(t)
	volume := l.pool() + "/skep-test-" + strconv.Itoa(os.Getpid())
	for name, v := range map[string]string{"made": volume, "missing": volume + "-none", "tasted": volume + "-geom"} {
		size := ""
		if name == "made" {
			size = "size = \"16M\""
		}
		l.cell(name, "disk \"v\" {\n zvol = \""+v+"\"\n"+size+"\n}")
	}
	t.Cleanup(func() { _ = exec.Command("zfs", "destroy", volume+"-geom").Run() })
	if err := exec.Command("zfs", "create", "-V", "16M", "-o", "volmode=geom", volume+"-geom").Run(); err != nil {
		t.Skipf("no volume can be made: %v", err)
	}
	l.must(2, "up", "missing")
	l.must(2, "up", "tasted")
	l.must(0, "up", "made")
	l.cell("busy", "disk \"v\" { zvol = \""+volume+"\" }")
	l.must(2, "up", "busy")
	l.must(0, "down", "made")
	if out, err := exec.Command("zfs", "destroy", volume).CombinedOutput(); err != nil {
		t.Errorf("the volume stays busy: %s", out)
	}
}

// TestCellKnockedAt: viewers who come while bhyve starts, again and again, do it
// no harm. Each has a program of ours in the jail for a moment, which counts
// against the jail's limits: bhyve was refused its memory for that once.
func TestCellKnockedAt(t *testing.T) {
	l := clean(t)
	l.cell("knocked", "screen {}")
	socket := l.path("run/cells/knocked/screen.sock")
	ctx, cancel := context.WithCancel(t.Context())
	var visitors sync.WaitGroup
	var knocks atomic.Int64
	for range 4 {
		visitors.Go(func() {
			for ctx.Err() == nil {
				conn, err := net.Dial("unix", socket)
				if err != nil {
					time.Sleep(5 * time.Millisecond)
					continue
				}
				knocks.Add(1)
				_ = conn.SetDeadline(time.Now().Add(100 * time.Millisecond))
				_, _ = conn.Read(make([]byte, 1))
				conn.Close()
			}
		})
	}
	for range 3 {
		l.must(0, "up", "knocked")
		l.must(0, "audit", "knocked")
		l.must(0, "down", "knocked")
	}
	cancel()
	visitors.Wait()
	if knocks.Load() < 10 {
		t.Errorf("only %d viewers came", knocks.Load())
	}
}

// TestCellWaitsForAViewer: a screen that waits is there to be connected to, and
// who is tired of waiting can end it.
func TestCellWaitsForAViewer(t *testing.T) {
	l := clean(t)
	l.cell("seen", "screen { wait = true }")
	socket := l.path("run/cells/seen/screen.sock")
	started := make(chan result, 1)
	go func() { started <- l.skep("up", "seen") }()
	var viewer net.Conn
	eventually(t, slow, "the screen", func() bool {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return false
		}
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		greeting := make([]byte, 4)
		if _, err := io.ReadFull(conn, greeting); err != nil || string(greeting) != "RFB " {
			conn.Close() // bhyve does not listen yet
			return false
		}
		viewer = conn
		return true
	})
	defer viewer.Close()
	// bhyve counts a viewer once it has agreed on the protocol and chosen.
	fmt.Fprintf(viewer, "RFB 003.008\n\x01\x01")
	select {
	case r := <-started:
		if r.code != 0 {
			t.Errorf("%s", r)
		}
	case <-time.After(slow):
		t.Error("it does not start although somebody looks")
	}
	l.must(0, "kill", "seen")

	go func() { started <- l.skep("up", "seen") }()
	eventually(t, slow, "the screen again", func() bool { return file(socket) })
	l.must(0, "kill", "seen")
	if r := <-started; r.code == 0 {
		t.Errorf("a start that was called off: %s", r)
	}
}

// TestCellBelowALink: a run directory that is reached by a symbolic link, as
// /home is on many hosts.
func TestCellBelowALink(t *testing.T) {
	l := clean(t)
	if err := errors.Join(os.Mkdir(l.path("real"), 0o700), os.Symlink(l.path("real"), l.path("link"))); err != nil {
		t.Fatal(err)
	}
	l.env = append(l.env, "SKEP_RUN_DIR="+l.path("link")+"/run")
	l.cell("linked", "")
	l.must(0, "up", "linked")
	l.must(0, "audit", "linked")
	l.must(0, "down", "linked")
	if out := must(t, "mount", "-p"); strings.Contains(out, "linked") {
		t.Errorf("mounts are left:\n%s", out)
	}
}

// freebsd is a directory with what of FreeBSD a loader boots, in the console's words; programs are what a test
// makes an image of it with.
func (l *lab) freebsd(conf string, programs ...string) string {
	l.t.Helper()
	tree := l.path("guest")
	l.write("guest/boot/loader.conf", "autoboot_delay=\"0\"\nbeastie_disable=\"YES\"\nconsole=\"userboot\"\n"+conf)
	for _, f := range []string{"kernel", "lua", "defaults", "device.hints"} {
		from, to := "/boot/"+f, tree+"/boot"
		if f == "kernel" {
			from, to = "/boot/kernel/kernel", tree+"/boot/kernel/kernel"
			must(l.t, "mkdir", tree+"/boot/kernel")
		}
		if _, err := os.Stat(from); err != nil {
			l.t.Skip(err)
		}
		must(l.t, "cp", "-R", from, to)
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			l.t.Skip(err)
		}
	}
	return tree
}

// TestCellLoader: bhyveload(8) fills the VM inside the cell from a disk that
// holds this host's kernel.
func TestCellLoader(t *testing.T) {
	l := clean(t)
	tree := l.freebsd("vfs.root.mountfrom=\"ufs:/dev/none\"\n", "makefs", "mkimg")
	must(t, "makefs", "-t", "ffs", "-o", "version=2", l.path("fs"), tree)
	must(t, "mkimg", "-s", "gpt", "-p", "freebsd-ufs:="+l.path("fs"), "-o", l.path("disk"))
	l.write("host/given.txt", "from the host")
	l.cell("fbsd", `memory = "256M"
boot = "loader"
loader {
  host_path = "`+l.path("host")+`"
}
disk "a" { file = "`+l.path("disk")+`" }`)
	l.must(0, "up", "fbsd")
	v := l.console("fbsd")
	v.expect(slow, "The Regents of the University of California")
	if file(l.path("run/cells/fbsd/root/host/given.txt")) {
		t.Error("what was the loader's stays in the rootfs")
	}
	l.audit(0, "fbsd")
	l.must(0, "kill", "fbsd")
}

// TestCellInstaller: an installer's ISO is booted by bhyveload, which opens for writing what it reads: it gets
// a copy, the guest sees the ISO itself, and the copy goes with the cell.
func TestCellInstaller(t *testing.T) {
	l := clean(t)
	tree := l.freebsd("vfs.root.mountfrom=\"cd9660:/dev/cd0\"\n", "makefs")
	must(t, "makefs", "-t", "cd9660", "-o", "rockridge,label=INSTALLER", l.path("cd.iso"), tree)
	must(t, "chmod", "0400", l.path("cd.iso"))
	before, err := os.ReadFile(l.path("cd.iso"))
	if err != nil {
		t.Fatal(err)
	}
	l.cell("inst", `memory = "256M"
boot = "loader"
disk "cd" { iso = "`+l.path("cd.iso")+`" }
disk "a" {
  file = "`+l.path("disk")+`"
  size = "16M"
}`)
	l.must(0, "up", "inst")
	v := l.console("inst")
	v.expect(slow, "The Regents of the University of California")
	if mounts, err := exec.Command("mount").Output(); err != nil || strings.Contains(string(mounts), "boot-disk") {
		t.Errorf("the copy is still shown in the rootfs: %v\n%s", err, mounts)
	}
	l.audit(0, "inst")
	v.expect(slow, "Trying to mount root from cd9660:/dev/cd0")
	copied := l.path("state/cells/inst/loader/image")
	if !file(copied) {
		t.Errorf("there is no copy %s", copied)
	}
	l.must(0, "kill", "inst")
	if file(filepath.Dir(copied)) {
		t.Error("the copy is left behind")
	}
	env := l.env
	l.env = append(slices.Clone(env), "SKEP_TEST_CRASH_AT=took:double:cd")
	if r := l.skep("up", "inst"); !strings.Contains(r.err, "its keeper died") || !file(copied) {
		t.Errorf("the keeper has not died with a copy made: %s", r)
	}
	l.env = env
	l.must(0, "sweep")
	if file(filepath.Dir(copied)) {
		t.Error("the copy of a keeper that died is left behind")
	}
	if after, err := os.ReadFile(l.path("cd.iso")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the ISO has been written to: %v", err)
	}
}

// TestCellFirmware: a firmware file gets ACPI tables, and where this bhyve has
// them compiled, neither shell nor compiler is left.
func TestCellFirmware(t *testing.T) {
	l := clean(t)
	if err := os.WriteFile(l.path("fw.fd"), hello.ROM(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.path("odd.fd"), hello.ROM()[:4095], 0o600); err != nil {
		t.Fatal(err)
	}
	l.cell("fw", "boot = \""+l.path("fw.fd")+"\"")
	l.cell("odd", "boot = \""+l.path("odd.fd")+"\"")
	l.must(0, "up", "fw")
	if r := l.show("fw").Reach; r == nil || r.Files != 0 || r.Nodes != 0 {
		t.Errorf("the rootfs holds %+v", r)
	}
	l.must(0, "down", "fw")
	l.must(2, "up", "odd")
}

// TestCellMistakes: what only the host can call wrong is said in one pass, each
// with its line.
func TestCellMistakes(t *testing.T) {
	l := clean(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	l.cell("bad", strings.NewReplacer("$D", l.dir, "$PORT", taken.Addr().String()).Replace(`memory = "900G"
boot = "$D/none.fd"
disk "a" { file = "$D/none.img" }
disk "b" { iso = "$D/none.iso" }
nic "lan" { bridge = "nosuchbr" }
nic "wan" { tap = "tap9" }
share "s" { path = "$D/none" }
screen {
  listen        = "$PORT"
  password_file = "$D/none.pw"
}`))
	want := []string{"900G of memory", ":2:", "read the firmware", ":3:", "disk \"a\"", ":4:", "disk \"b\"", ":5:", "use bridge nosuchbr", ":6:",
		"use tap tap9", ":7:", "$D/none in the rootfs", ":8:", "have the screen listen", ":10:", "the screen's password", ":11:"}
	for _, verb := range []string{"run", "up"} {
		r := l.must(2, verb, "bad")
		for i := 0; i < len(want); i += 2 {
			what := strings.ReplaceAll(want[i], "$D", l.dir)
			if !regexp.MustCompile(regexp.QuoteMeta(what) + ".*" + want[i+1]).MatchString(r.err) {
				t.Errorf("%s: no word of %s at %s", verb, what, want[i+1])
			}
		}
		if n := strings.Count(r.err, "skep: error: cannot "); n != len(want)/2 {
			t.Errorf("%s: %d mistakes, want %d\n%s", verb, n, len(want)/2, r)
		}
	}
}

// TestCellNameTaken: VM names are the whole host's.
func TestCellNameTaken(t *testing.T) {
	l := clean(t)
	if err := exec.Command("bhyvectl", "--create", "--vm=taken").Run(); err != nil {
		t.Skipf("no VM can be made by hand: %v", err)
	}
	t.Cleanup(func() { _ = exec.Command("bhyvectl", "--destroy", "--vm=taken").Run() })
	l.cell("taken", "")
	r := l.must(2, "up", "taken")
	if !strings.Contains(r.err, "has one of that name") {
		t.Errorf("%s", r)
	}
	if !file("/dev/vmm/taken") {
		t.Error("somebody else's VM was destroyed")
	}
	if err := exec.Command("bhyvectl", "--destroy", "--vm=taken").Run(); err != nil {
		t.Error(err)
	}
}
