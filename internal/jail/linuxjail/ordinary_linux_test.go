package linuxjail

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
	"skep/internal/layer"
)

// The jail of an ordinary user. Run by root, the test runs itself again as one, who also is in a
// group too many.
func TestOrdinaryUser(t *testing.T) {
	if os.Geteuid() == 0 {
		again(t, "TestOrdinaryUser")
		return
	}
	id := Identity{UID: os.Getuid(), GID: os.Getgid(), Mapping: jail.ByOwn}
	spec, talk := prisonSpec(t, id)
	if _, err := os.Stat("/dev/null"); err == nil {
		spec.Root.Nodes = []Node{{"/dev/null", "/dev/null"}}
	}
	for _, d := range spec.Layers {
		if d.ID == layer.OwnUID && d.Verdict != layer.NotPrivileged {
			t.Errorf("own-uid is %s", d.Verdict)
		}
		if d.ID == layer.NoGroups && d.Verdict != layer.NotPrivileged {
			t.Errorf("no-groups is %s", d.Verdict)
		}
	}
	p, err := Start(t.Context(), spec)
	if errors.Is(err, ErrUserNamespacesRestricted) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Kill(); gone(t, p); _ = p.Release() }()
	r := ask(t, talk, "look")
	if r.UID != id.UID || r.PID != 1 || r.Hostname != "cell-one" || r.Kernel != 100_000 {
		t.Errorf("inside: %+v", r)
	}
	for name, want := range map[string]string{
		"mmap-wx": "EACCES", "list-root": "EACCES", "read-host": "ENOENT", "exec-self": "EPERM",
		"mount": "EPERM", "bind-tcp": "EACCES", "bpf": "EPERM", "map-data-exec": "EPERM", "map-own-exec": "ok",
		"open-null": "ok",
	} {
		if got := ask(t, talk, "try "+name).Tries[name]; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if status := proc(t, p.Pid(), "status"); !strings.Contains(status, "CapEff:\t0000000000000000\n") ||
		!strings.Contains(status, "CapBnd:\t0000000000000000\n") || !strings.Contains(status, "Seccomp_filters:\t1\n") {
		t.Error(status)
	}
	if err := p.Empty(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info := proc(t, p.Pid(), "mountinfo"); strings.Count(info, "\n") != 1 {
		t.Errorf("mounts left:\n%s", info)
	}
	if got := ask(t, talk, "try read-file").Tries["read-file"]; got != "ENOENT" {
		t.Errorf("the rootfs is not empty: %s", got)
	}
}

// With a range in /etc/subuid an ordinary user's cell has a user of its own. Run by root, the test
// runs itself again as nobody, in a mount namespace in which nobody has such a range.
func TestSubordinateIDs(t *testing.T) {
	if os.Geteuid() == 0 {
		asNobody(t, "TestSubordinateIDs", "true")
		return
	}
	first, ok := subordinate(t, "/etc/subuid")
	group, also := subordinate(t, "/etc/subgid")
	if _, err := exec.LookPath("newuidmap"); err != nil || !ok || !also {
		t.Skip("no newuidmap, or no range for this user")
	}
	id := Identity{UID: first + 7, GID: group + 7, Mapping: jail.BySubIDs}
	spec, talk := prisonSpec(t, id)
	start(t, spec)
	if r := ask(t, talk, "look"); r.UID != id.UID || r.GID != id.GID || len(r.Groups) != 0 {
		t.Errorf("inside: %+v", r)
	}
}

// again runs one test as user and group 54321 with 54322 as a supplementary group.
func again(t *testing.T, name string) {
	t.Helper()
	program, dir := public(t)
	cmd := exec.Command(program, "-test.run=^"+name+"$", "-test.v")
	cmd.Dir = dir
	cmd.Env = []string{"TMPDIR=/tmp", "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 54321, Gid: 54321, Groups: []uint32{54321, 54322}}}
	outcome(t, cmd)
}

// public is this test's program where everyone can run it.
func public(t *testing.T) (program, dir string) {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir, err = os.MkdirTemp("", "skep-jail-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program = filepath.Join(dir, "test")
	if err := errors.Join(os.WriteFile(program, self, 0o755), os.Chmod(dir, 0o755), os.Chmod(program, 0o755)); err != nil {
		t.Fatal(err)
	}
	return program, dir
}

// asNobody runs one test as nobody, with a range of subordinate users that only it can see; first is done
// in its mount namespace, by root.
func asNobody(t *testing.T, name, first string) {
	t.Helper()
	for _, tool := range []string{"unshare", "setpriv", "mount", "newuidmap"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	program, dir := public(t)
	ranges := filepath.Join(dir, "ranges")
	if err := os.WriteFile(ranges, []byte("nobody:300000:65536\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--mount", "sh", "-ec", `mount --bind "$1" /etc/subuid; mount --bind "$1" /etc/subgid
		`+first+`
		exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$2" "-test.run=^$3\$" -test.v`, "sh", ranges, program, name)
	cmd.Dir = dir
	cmd.Env = []string{"TMPDIR=/tmp", "USER=nobody", "PATH=" + os.Getenv("PATH")}
	outcome(t, cmd)
}

func outcome(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("as an ordinary user: %v\n%s", err, out)
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Skipf("as an ordinary user:\n%s", out)
	}
}

func TestUbuntusRestrictionIsRecognised(t *testing.T) {
	if os.Geteuid() == 0 {
		again(t, "TestUbuntusRestrictionIsRecognised")
		return
	}
	for _, errno := range []unix.Errno{unix.EPERM, unix.ENOSPC, unix.EUSERS} {
		err := explain(cloneError(errno))
		if !errors.Is(err, ErrUserNamespacesRestricted) || !errors.Is(err, errno) {
			t.Errorf("%v: %v", errno, err)
		}
	}
	if err := explain(cloneError(unix.ENOMEM)); errors.Is(err, ErrUserNamespacesRestricted) {
		t.Errorf("no memory is not a restriction: %v", err)
	}
}

// subordinate reads the first number of this user's range.
func subordinate(t *testing.T, file string) (int, bool) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	names := []string{os.Getenv("USER"), itoa(os.Getuid())}
	for line := range strings.Lines(string(b)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) == 3 && slices.Contains(names, f[0]) {
			n, err := parseInt(f[1])
			return n, err == nil
		}
	}
	return 0, false
}
