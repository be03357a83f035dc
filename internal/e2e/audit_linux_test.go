package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The audit is worth something only if it notices: each tampering is undone
// again, and the audit is good before and after.
func TestAuditNoticesEveryTampering(t *testing.T) {
	needCells(t)
	if os.Geteuid() != 0 {
		t.Skip("tampering with a cell needs root")
	}
	l := newLab(t)
	l.cell("a", `accel = "tcg"`)
	l.must(0, "up", "a")
	defer l.must(0, "down", "--force", "a")
	pid := l.show("a").PID
	uid := ownerOf(t, pid)
	l.audit(0, "a")
	tests := []struct {
		name, row, verdict string
		do                 func(t *testing.T) (undo func())
	}{
		{"a limit is lowered", "rlimit-nofile", "missing", func(t *testing.T) func() { return setLimit(t, pid, unix.RLIMIT_NOFILE, 64) }},
		{"how large a file may become is lowered", "rlimit-fsize", "missing", func(t *testing.T) func() { return setLimit(t, pid, unix.RLIMIT_FSIZE, 4096) }},
		{"a limit that no plan names is lowered", "rlimits", "missing", func(t *testing.T) func() { return setLimit(t, pid, unix.RLIMIT_AS, 1<<40) }},
		{"a limit of its group is raised", "pids.max", "missing", func(t *testing.T) func() { return setGroupLimit(t, pid, "pids.max", "4000") }},
		{"a process in its network namespace", "ns-net", "extra", func(t *testing.T) func() { return startOther(t, "nsenter", "-t", strconv.Itoa(pid), "-n") }},
		{"a process in its uts namespace", "ns-uts", "extra", func(t *testing.T) func() { return startOther(t, "nsenter", "-t", strconv.Itoa(pid), "-u") }},
		{"a process with its uid", "uid-company", "extra", func(t *testing.T) func() {
			return startOther(t, "setpriv", "--reuid", strconv.Itoa(uid), "--regid", strconv.Itoa(uid), "--clear-groups")
		}},
		{"a thread of another process in its network namespace", "ns-net", "extra", func(t *testing.T) func() { return threadIn(t, pid) }},
		{"a process with its gid", "gid-company", "extra", func(t *testing.T) func() {
			return startOther(t, "setpriv", "--regid", strconv.Itoa(uid), "--clear-groups")
		}},
		{"somebody traces it", "tracers", "extra", func(t *testing.T) func() { return trace(t, pid) }},
		{"a group below its own", "cgroup-pids", "extra", func(t *testing.T) func() {
			dir := filepath.Join(groupDir(t, pid, "pids.max"), "below")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Skip(err)
			}
			return func() { _ = os.Remove(dir) }
		}},
		{"an address in its network namespace", "network-addresses", "extra", func(t *testing.T) func() {
			in := []string{"nsenter", "-t", strconv.Itoa(pid), "-n", "ip", "address"}
			if out, err := exec.Command(in[0], append(in[1:], "add", "192.0.2.7/24", "dev", "lo")...).CombinedOutput(); err != nil {
				t.Skipf("%v: %s", err, out)
			}
			return func() { _ = exec.Command(in[0], append(in[1:], "del", "192.0.2.7/24", "dev", "lo")...).Run() }
		}},
		{"a process in its group", "cgroup-pids", "extra", func(t *testing.T) func() { return joinGroup(t, pid) }},
		{"it is moved to another group", "cgroup-pids", "missing", func(t *testing.T) func() { return moveAway(t, pid) }},
		{"it is moved in a tree that skep does not use", "cgroups-other", "missing", func(t *testing.T) func() {
			dir := "/sys/fs/cgroup/freezer/skep-test-elsewhere"
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Skip(err) // there is no such tree on a v2 host
			}
			mustWrite(t, dir+"/cgroup.procs", strconv.Itoa(pid))
			return func() {
				mustWrite(t, "/sys/fs/cgroup/freezer/cgroup.procs", strconv.Itoa(pid))
				_ = os.Remove(dir)
			}
		}},
		{"something is mounted into its root", "mounts", "extra", func(t *testing.T) func() { return mountInto(t, pid) }},
		{"its oom score is changed", "oom-score", "missing", func(t *testing.T) func() {
			path := fmt.Sprintf("/proc/%d/oom_score_adj", pid)
			mustWrite(t, path, "0")
			return func() { mustWrite(t, path, "500") }
		}},
		{"its host name is changed", "host-name", "missing", func(t *testing.T) func() { return inside(t, pid, "u", "kernel/hostname", "elsewhere") }},
		{"its domain is changed", "sysctls", "missing", func(t *testing.T) func() { return inside(t, pid, "u", "kernel/domainname", "example.org") }},
		{"its network would forward", "sysctls", "missing", func(t *testing.T) func() { return inside(t, pid, "n", "net/ipv4/ip_forward", "1") }},
		{"its shared memory is bounded otherwise", "sysctls", "missing", func(t *testing.T) func() { return inside(t, pid, "i", "kernel/shmmni", "17") }},
		{"it is bound to one processor", "affinity", "missing", func(t *testing.T) func() {
			old := mustTool(t, "taskset", "-p", strconv.Itoa(pid))
			mustTool(t, "taskset", "-a", "-p", "1", strconv.Itoa(pid))
			return func() { mustTool(t, "taskset", "-a", "-p", old[strings.LastIndexByte(old, ' ')+1:], strconv.Itoa(pid)) }
		}},
		{"it is made nicer", "scheduler", "missing", func(t *testing.T) func() {
			mustTool(t, "renice", "-n", "5", "-p", strconv.Itoa(pid))
			return func() { mustTool(t, "renice", "-n", "0", "-p", strconv.Itoa(pid)) }
		}},
		{"it is for idle times only", "scheduler", "missing", func(t *testing.T) func() {
			mustTool(t, "chrt", "-a", "-i", "-p", "0", strconv.Itoa(pid))
			return func() { mustTool(t, "chrt", "-a", "-o", "-p", "0", strconv.Itoa(pid)) }
		}},
		{"it is stopped", "runs", "missing", func(t *testing.T) func() {
			if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
			return func() { _ = unix.Kill(pid, unix.SIGCONT); time.Sleep(100 * time.Millisecond) }
		}},
		{"it is frozen", "runs", "missing", func(t *testing.T) func() { return freeze(t, pid) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			undo := tt.do(t)
			got := l.audit(5, "a").verdict(tt.row)
			undo()
			if got != tt.verdict {
				t.Errorf("row %s is %q, want %q", tt.row, got, tt.verdict)
			}
			l.audit(0, "a")
		})
	}
}

// The same table judges a hypervisor that nobody has jailed.
func TestAuditOfAPlainQEMU(t *testing.T) {
	needCells(t)
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip(err)
	}
	l := newLab(t)
	cmd := exec.Command(qemu, "-nodefaults", "-display", "none", "-S", "-accel", "tcg", "-m", "16M")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	time.Sleep(500 * time.Millisecond)
	r := l.skep("audit", "--json", "--pid", strconv.Itoa(cmd.Process.Pid))
	var rep auditReport
	if err := json.Unmarshal([]byte(r.out), &rep); err != nil {
		t.Fatalf("%v\n%s", err, r)
	}
	if r.code != 5 || rep.OK {
		t.Errorf("a plain QEMU passes the audit (%d)", r.code)
	}
	for _, id := range []string{"jailed", "seccomp", "no-new-privs", "ns-net", "ns-mnt", "strict-wx", "files"} {
		if v := rep.verdict(id); v != "missing" && v != "extra" {
			t.Errorf("row %s of a plain QEMU is %q", id, v)
		}
	}
}

func ownerOf(t *testing.T, pid int) int {
	t.Helper()
	uid, err := strconv.Atoi(strings.Fields(statusOf(pid)["Uid"])[0])
	if err != nil {
		t.Fatal(err)
	}
	return uid
}

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0); err != nil {
		t.Fatal(err)
	}
}

func setLimit(t *testing.T, pid, which int, n uint64) func() {
	t.Helper()
	// The soft one: who cannot raise a hard limit could not undo that.
	var old unix.Rlimit
	err := unix.Prlimit(pid, which, nil, &old)
	if err == nil {
		err = unix.Prlimit(pid, which, &unix.Rlimit{Cur: n, Max: old.Max}, nil)
	}
	if err != nil {
		t.Skipf("the limits of another process cannot be set here: %v", err)
	}
	return func() {
		if err := unix.Prlimit(pid, which, &old, nil); err != nil {
			t.Logf("cannot raise the limit again (%v): the rows after this one see it", err)
		}
	}
}

// threadIn has one thread of this process enter a network namespace.
func threadIn(t *testing.T, pid int) func() {
	t.Helper()
	entered, leave, left := make(chan error), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(left)
		runtime.LockOSThread() // never unlocked: the thread ends with this
		home, herr := os.Open("/proc/thread-self/ns/net")
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err == nil {
			err = unix.Setns(int(f.Fd()), unix.CLONE_NEWNET)
			f.Close()
		}
		entered <- errors.Join(err, herr)
		<-leave
		if herr == nil {
			_ = unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) // it may take a while to end
			home.Close()
		}
	}()
	undo := func() { close(leave); <-left }
	if err := <-entered; err != nil {
		undo()
		t.Skip(err)
	}
	return undo
}

// trace attaches to a process and lets it run on.
func trace(t *testing.T, pid int) func() {
	t.Helper()
	attached, detach, detached := make(chan error), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(detached)
		runtime.LockOSThread() // a tracer is a thread
		defer runtime.UnlockOSThread()
		err := syscallErr(unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, 0, 0, 0))
		attached <- err
		<-detach
		if err == nil {
			var status unix.WaitStatus
			_ = unix.PtraceInterrupt(pid)
			_, _ = unix.Wait4(pid, &status, unix.WALL, nil)
			_ = unix.PtraceDetach(pid)
		}
	}()
	undo := func() { close(detach); <-detached }
	if err := <-attached; err != nil {
		undo()
		t.Skip(err)
	}
	return undo
}

func syscallErr(_, _ uintptr, errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

// groupDir is the directory of the process's group of a controller.
func groupDir(t *testing.T, pid int, file string) string {
	t.Helper()
	controller, _, _ := strings.Cut(file, ".")
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		f := strings.SplitN(line, ":", 3)
		if len(f) != 3 {
			continue
		}
		for _, base := range []string{"/sys/fs/cgroup/" + controller, "/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
			dir := filepath.Join(base, f[2])
			if _, err := os.Stat(filepath.Join(dir, file)); err == nil && f[2] != "/" {
				return dir
			}
		}
	}
	t.Skipf("no control group with %s on this host", file)
	return ""
}

func setGroupLimit(t *testing.T, pid int, file, value string) func() {
	path := filepath.Join(groupDir(t, pid, file), file)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, path, value)
	return func() { mustWrite(t, path, string(old)) }
}

// startOther starts a process that waits, by way of a command.
func startOther(t *testing.T, how ...string) func() {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(how[0], append(how[1:], sleep, "60")...)
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	time.Sleep(300 * time.Millisecond)
	return func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
}

func joinGroup(t *testing.T, pid int) func() {
	dir := groupDir(t, pid, "pids.max")
	end := startOther(t, "env")
	children, _ := exec.Command("pgrep", "-P", strconv.Itoa(os.Getpid()), "sleep").Output()
	for _, c := range strings.Fields(string(children)) {
		mustWrite(t, dir+"/cgroup.procs", c)
	}
	return end
}

func moveAway(t *testing.T, pid int) func() {
	dir := groupDir(t, pid, "pids.max")
	mustWrite(t, filepath.Dir(filepath.Dir(dir))+"/cgroup.procs", strconv.Itoa(pid))
	return func() { mustWrite(t, dir+"/cgroup.procs", strconv.Itoa(pid)) }
}

// mountInto puts a file system over the root of the process, from a thread
// that has entered its mount namespace and is thrown away afterwards.
func mountInto(t *testing.T, pid int) func() {
	t.Helper()
	enter := func(do func() error) error {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		done := make(chan error)
		var thread func()
		thread = func() {
			runtime.LockOSThread() // and never unlocked: the thread ends here
			if unix.Gettid() == os.Getpid() {
				// All but the main thread, which cannot end before the process.
				defer runtime.UnlockOSThread()
				other := make(chan struct{})
				go func() { defer close(other); thread() }()
				<-other
				return
			}
			err := unix.Unshare(unix.CLONE_FS)
			if err == nil {
				err = unix.Setns(fd, unix.CLONE_NEWNS)
			}
			if err == nil {
				err = do()
			}
			done <- err
		}
		go thread()
		return <-done
	}
	if err := enter(func() error { return unix.Mount("tampered", "/", "tmpfs", 0, "") }); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := enter(func() error { return unix.Unmount("/", unix.MNT_DETACH) }); err != nil {
			t.Fatal(err)
		}
	}
}

// Jails are FreeBSD's; here the flag says so and what to do instead.
func TestAuditOfAJail(t *testing.T) {
	l := newLab(t)
	r := l.skep("audit", "--jail", "web")
	if r.code != 2 || !strings.Contains(r.err, "jails are FreeBSD's") || !strings.Contains(r.err, "--pid") {
		t.Error(r)
	}
	for _, args := range [][]string{{"audit"}, {"audit", "a", "b"}, {"audit", "a", "--pid", "1"}, {"audit", "--jail", "a", "--pid", "1"}} {
		if r := l.skep(args...); r.code != 2 {
			t.Errorf("%v: %s", args, r)
		}
	}
}
