package e2e

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"skep/guest/hello"
	"skep/internal/jail/freebsdjail"
	"skep/internal/process"
)

// envAttach names the jail that a second run of this test program enters, as
// whoever has root on the host can.
const envAttach = "SKEP_TEST_ATTACH"

// TestAttachHelper is that second run; alone it has nothing to do.
func TestAttachHelper(t *testing.T) {
	jid, err := strconv.Atoi(os.Getenv(envAttach))
	if err != nil {
		return
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_JAIL_ATTACH, uintptr(jid), 0, 0); errno != 0 {
		t.Fatal(errno)
	}
	fmt.Println("attached")
	_, _ = io.Copy(io.Discard, os.Stdin) // until whoever started it is done
}

// intrude puts a process into a jail; nothing can be executed in an empty room,
// so it is one that enters.
func intrude(t *testing.T, jid int) func() {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestAttachHelper$")
	cmd.Env = append(os.Environ(), envAttach+"="+strconv.Itoa(jid), envProgram+"="+skep)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	eventually(t, slow, "a second process in the jail", func() bool { p, err := process.Look(pid); return err == nil && p.JID == jid })
	return func() { in.Close(); _ = cmd.Wait() }
}

// The audit is worth something only if it notices: each tampering is undone
// again, and the audit is good before and after.
func TestAuditNoticesEveryTampering(t *testing.T) {
	l := clean(t)
	l.cell("a", "")
	l.must(0, "up", "a")
	s := l.show("a")
	info, err := process.Look(s.PID)
	if err != nil {
		t.Fatal(err)
	}
	const name = "skep-a"
	root := l.path("run/cells/a/root")
	dev := root + "/dev"
	set := strconv.Itoa(ruleset(t, l, "a"))
	rules, counted, err := freebsdjail.Limits("jail:" + name)
	if err != nil || counted && len(rules) == 0 {
		t.Fatalf("limits: %v, %v", rules, err)
	}
	rule := ""
	for _, r := range rules {
		if strings.Contains(r, ":maxproc:") {
			rule = r
		}
	}
	l.audit(0, "a")
	run := func(do, undo []string) func(*testing.T) func() {
		return func(t *testing.T) func() { must(t, do...); return func() { must(t, undo...) } }
	}
	sh := func(do, undo string) func(*testing.T) func() {
		return run([]string{"sh", "-ec", do}, []string{"sh", "-ec", undo})
	}
	for _, tt := range []struct {
		name, row, verdict, names string
		counted                   bool // needs kern.racct.enable
		do                        func(t *testing.T) (undo func())
	}{
		{"a second process in its jail", "company", "extra", "e2e", false, func(t *testing.T) func() { return intrude(t, info.JID) }},
		{"a permission raised", "jail-allow.raw_sockets", "extra", "true", false, run([]string{"jail", "-m", "name=" + name, "allow.raw_sockets"}, []string{"jail", "-m", "name=" + name, "allow.noraw_sockets"})},
		{"root is root again", "jail-allow.suser", "extra", "true", false, run([]string{"jail", "-m", "name=" + name, "allow.suser"}, []string{"jail", "-m", "name=" + name, "allow.nosuser"})},
		{"a mount permission raised", "jail-permissions", "extra", "allow.mount.devfs", false, run([]string{"jail", "-m", "name=" + name, "allow.mount.devfs"}, []string{"jail", "-m", "name=" + name, "allow.mount.nodevfs"})},
		{"another host name", "jail-host.hostname", "missing", "else", false, run([]string{"jail", "-m", "name=" + name, "host.hostname=else"}, []string{"jail", "-m", "name=" + name, "host.hostname=a"})},
		{"the host's memory in its /dev", "dangerous-nodes", "extra", "mem", false, run([]string{"devfs", "-m", dev, "rule", "apply", "path", "mem", "unhide"}, []string{"devfs", "-m", dev, "rule", "apply", "hide"})},
		{"a harmless node in its /dev", "nodes", "extra", "full", false, run([]string{"devfs", "-m", dev, "rule", "apply", "path", "full", "unhide"}, []string{"devfs", "-m", dev, "rule", "apply", "hide"})},
		{"a rule for its next start", "ruleset", "extra", "mem", false, run([]string{"devfs", "rule", "-s", set, "add", "9000", "path", "mem", "unhide"}, []string{"devfs", "rule", "-s", set, "del", "9000"})},
		{"a file in its root", "files", "extra", "/left", false, sh("chflags noschg "+root+"; touch "+root+"/left; chflags schg "+root, "chflags noschg "+root+"; rm "+root+"/left; chflags schg "+root)},
		{"its root can be written to", "root-flags", "missing", "schg", false, sh("chflags noschg "+root, "chflags schg "+root)},
		{"something mounted on its /dev", "mounts", "extra", "tmpfs", false, run([]string{"mount", "-t", "tmpfs", "tmpfs", dev}, []string{"umount", dev})},
		{"a rule of rctl(8) removed", "rctl-maxproc", "missing", "no such rule", true, run([]string{"rctl", "-r", rule}, []string{"rctl", "-a", rule})},
		{"a rule of rctl(8) changed", "rctl-maxproc", "missing", "4000", true, sh("rctl -r "+rule+"; rctl -a jail:"+name+":maxproc:deny=4000", "rctl -r jail:"+name+":maxproc; rctl -a "+rule)},
		{"a rule of rctl(8) added", "rctl", "extra", "readbps", true, run([]string{"rctl", "-a", "jail:" + name + ":readbps:throttle=1000000"}, []string{"rctl", "-r", "jail:" + name + ":readbps"})},
		{"how large a file may become changed", "rlimit-fsize", "missing", "4096", false, func(t *testing.T) func() {
			old := freebsdjail.Rlimits(s.PID)["fsize"]
			setLimit(t, s.PID, 1, 4096)
			return func() { setLimit(t, s.PID, 1, old[1]) }
		}},
		{"a limit changed that no plan names", "rlimits", "missing", "data", false, func(t *testing.T) func() {
			old := freebsdjail.Rlimits(s.PID)["data"]
			setLimit(t, s.PID, 2, 1<<32)
			return func() { setLimit(t, s.PID, 2, old[1]) }
		}},
		{"a limit of the process changed", "rlimit-core", "missing", "4096", false, func(t *testing.T) func() {
			setLimit(t, s.PID, 4, 4096)
			return func() { setLimit(t, s.PID, 4, 0) }
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.counted && !counted {
				t.Skip("kern.racct.enable is 0: this kernel counts nothing")
			}
			undo := tt.do(t)
			r := l.audit(5, "a")
			undo()
			if got := r.verdict(tt.row); got != tt.verdict || !strings.Contains(r.seen(tt.row), tt.names) {
				t.Errorf("row %s is %q: %q; want %q, and %q named", tt.row, got, r.seen(tt.row), tt.verdict, tt.names)
			}
			l.audit(0, "a")
		})
	}
	// What skep show lists of it is asked now, and is the same.
	must(t, "jail", "-m", "name="+name, "allow.raw_sockets")
	if r := l.must(0, "show", "a"); !strings.Contains(r.out, "extra: true") {
		t.Errorf("skep show does not see it\n%s", r)
	}
	must(t, "jail", "-m", "name="+name, "allow.noraw_sockets")
	// A reset is another bhyve in the same rootfs, and as good.
	v := l.console("a")
	v.send("r")
	eventually(t, slow, "a reset", func() bool { n := l.show("a"); return n.Resets == 1 && n.PID != s.PID && n.Reach != nil })
	l.audit(0, "a")
	l.must(0, "down", "a")
}

// setLimit sets a limit of another process, soft and hard: sysctl
// kern.proc.rlimit.
func setLimit(t *testing.T, pid, which int, n uint64) {
	t.Helper()
	name := [5]int32{1, 14, 37, int32(pid), int32(which)} // CTL_KERN, KERN_PROC, KERN_PROC_RLIMIT
	limit := unix.Rlimit{Cur: int64(n), Max: int64(n)}
	if _, _, errno := unix.Syscall6(unix.SYS___SYSCTL, uintptr(unsafe.Pointer(&name)), uintptr(len(name)), 0, 0,
		uintptr(unsafe.Pointer(&limit)), unsafe.Sizeof(limit)); errno != 0 {
		t.Fatalf("set limit %d of %d: %v", which, pid, errno)
	}
}

// Cells of every kind that a host without packages can start audit clean.
func TestAuditOfCells(t *testing.T) {
	l := clean(t)
	bridge := newBridge(t)
	image := l.path("a.img")
	if err := os.WriteFile(image, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.path("fw.fd"), hello.ROM(), 0o600); err != nil {
		t.Fatal(err)
	}
	l.cell("net", "nic \"lan\" { bridge = \""+bridge+"\" }")
	l.cell("disk", "disk \"a\" { file = \""+image+"\" }")
	l.cell("vnet", "jail { network = \"vnet\" }")
	l.cell("addr", "jail {\n network = \"shared\"\n ip4 = [\"127.0.0.1\"]\n}")
	l.cell("acpi", "boot = \""+l.path("fw.fd")+"\"")
	l.cell("shown", "screen {}")
	l.cell("given", "share \"s\" { path = \""+l.dir+"\" }")
	for _, name := range []string{"net", "disk", "vnet", "addr", "acpi", "shown", "given"} {
		t.Run(name, func(t *testing.T) {
			l := *l
			l.t = t
			l.must(0, "up", name)
			defer l.must(0, "down", "--force", name)
			l.audit(0, name)
		})
	}
}

// handMade is a jail as the article of 2018 builds it, with a bhyve in it: the
// base system accessible, and a rule set that begins with an include of the
// stock one.
func handMade(t *testing.T) (name string, pid int) {
	t.Helper()
	dir := t.TempDir()
	name = "skep-hand-" + strconv.Itoa(os.Getpid())
	vm := "hand" + strconv.Itoa(os.Getpid()%10000)
	root := filepath.Join(dir, "root")
	const set = "64212"
	if strings.Contains("\n"+must(t, "devfs", "rule", "showsets"), "\n"+set+"\n") {
		t.Skipf("rule set %s is in use", set)
	}
	mounts := []string{"bin", "lib", "libexec", "usr"}
	for _, d := range append(mounts, "dev", "tmp") {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "rom"), hello.ROM(), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		host(t, nil, "bhyvectl", "--vm="+vm, "--destroy")
		host(t, nil, "jail", "-r", name)
		for _, d := range append(mounts, "dev") {
			unmount(t, filepath.Join(root, d))
		}
		host(t, nil, "devfs", "rule", "-s", set, "delset")
	})
	for _, d := range mounts {
		must(t, "mount", "-t", "nullfs", "-o", "ro", "/"+d, filepath.Join(root, d))
	}
	must(t, "devfs", "rule", "-s", set, "add", "100", "include", "4")
	must(t, "devfs", "rule", "-s", set, "add", "200", "path", "vmm*", "unhide")
	must(t, "jail", "-c", "name="+name, "path="+root, "persist", "allow.vmm", "mount.devfs", "devfs_ruleset="+set)
	cmd := exec.Command("jexec", name, "/usr/sbin/bhyve", "-c", "1", "-m", "64M", "-H", "-P", "-s", "0,hostbridge", "-s", "31,lpc", "-l", "com1,stdio", "-l", "bootrom,/rom", vm)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said transcript
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		host(t, nil, "jexec", name, "/usr/sbin/bhyvectl", "--vm="+vm, "--destroy")
	})
	// jexec(8) becomes bhyve.
	for deadline := time.Now().Add(slow); ; time.Sleep(50 * time.Millisecond) {
		if p, err := process.Look(cmd.Process.Pid); err == nil && p.Capability {
			return name, p.PID
		}
		if time.Now().After(deadline) {
			t.Fatalf("the hand-made bhyve does not run: %s", said.String())
		}
	}
}

// The same table judges a bhyve in a jail that was made by hand, by the jail's
// name and by the process.
func TestAuditOfAHandMadeJail(t *testing.T) {
	needCells(t)
	name, pid := handMade(t)
	l := newLab(t)
	for _, args := range [][]string{{"--jail", name}, {"--pid", strconv.Itoa(pid)}} {
		r := l.audit(5, args...)
		for id, want := range map[string]string{
			"jailed": "seen", "capsicum": "seen", "guard-pages": "seen", "strict-wx": "missing", "no-new-privs": "missing", "no-trace": "missing",
			"jail-securelevel": "missing", "jail-allow.set_hostname": "extra", "mounts": "missing", "files": "extra", "nodes": "extra", "dangerous-nodes": "extra",
			"ruleset": "missing", "environ": "extra",
		} {
			if got := r.verdict(id); got != want {
				t.Errorf("%v: row %s is %q (%s), want %q", args, id, got, r.seen(id), want)
			}
		}
		if !strings.Contains(r.seen("dangerous-nodes"), "mem reads and writes the host's memory") {
			t.Errorf("%v: the host's memory is not named: %s", args, r.seen("dangerous-nodes"))
		}
		if !strings.Contains(r.seen("ruleset"), "vfs.devfs.rule_depth") {
			t.Errorf("%v: the include that is not followed is not told: %s", args, r.seen("ruleset"))
		}
	}
	if r := l.skep("audit", "--jail", "nobody-here"); r.code != 2 || !strings.Contains(r.err, name) {
		t.Error(r)
	}
}

// --watch says what has changed and ends with the last verdict.
func TestAuditWatched(t *testing.T) {
	l := clean(t)
	l.cell("w", "")
	l.must(0, "up", "w")
	v := l.live("audit", "w", "--watch", "200ms")
	v.expect(slow, "0 unknown")
	must(t, "jail", "-m", "name=skep-w", "allow.raw_sockets")
	v.expect(slow, "jail-allow.raw_sockets  true")
	must(t, "jail", "-m", "name=skep-w", "allow.noraw_sockets")
	v.expect(slow, "jail-allow.raw_sockets  false")
	_ = v.cmd.Process.Signal(os.Interrupt)
	v.ends(slow, 0)
}
