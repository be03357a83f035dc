package e2e

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// envStranger names a jail and a VM that a second run of this test program makes there.
const envStranger = "SKEP_TEST_STRANGER"

// TestStrangerHelper is that second run; alone it has nothing to do.
func TestStrangerHelper(t *testing.T) {
	jid, name, ok := strings.Cut(os.Getenv(envStranger), ":")
	if !ok {
		return
	}
	n, err := strconv.Atoi(jid)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open("/dev/vmmctl", unix.O_RDWR, 0)
	if err != nil && err != unix.ENOENT {
		t.Fatal(err)
	}
	// In the jail its memory counts against the cell's limit, and a Go program reserves much: nothing is allocated there.
	request, node, value := make([]byte, 296), []byte("hw.vmm.create"), []byte(name+"\x00")
	copy(request, name)
	_, _, errno := unix.RawSyscall(unix.SYS_JAIL_ATTACH, uintptr(n), 0, 0)
	switch {
	case errno != 0:
	case fd >= 0:
		_, _, errno = unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), 0xC1285600, uintptr(unsafe.Pointer(&request[0])))
	default:
		_, _, errno = unix.RawSyscall6(unix.SYS___SYSCTLBYNAME, uintptr(unsafe.Pointer(&node[0])), uintptr(len(node)),
			0, 0, uintptr(unsafe.Pointer(&value[0])), uintptr(len(value)))
	}
	_, _, _ = unix.RawSyscall(unix.SYS_EXIT, uintptr(errno), 0, 0)
}

// stranger makes a VM in the jail of a cell, as somebody could who has taken over what runs there.
func stranger(t *testing.T, cell string) (vm string) {
	t.Helper()
	vm = cell + "-stranger"
	t.Cleanup(func() { host(t, nil, "bhyvectl", "--vm="+vm, "--destroy") })
	must(t, "jail", "-m", "name=skep-"+cell, "allow.suser=1") // without vmmctl only root makes VMs
	jid := strings.TrimSpace(must(t, "jls", "-j", "skep-"+cell, "jid"))
	cmd := exec.Command(os.Args[0], "-test.run=^TestStrangerHelper$")
	cmd.Env = append(os.Environ(), envStranger+"="+jid+":"+vm, envProgram+"="+skep)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := os.Lstat("/dev/vmm/" + vm); err != nil {
		t.Fatal(err)
	}
	return vm
}

// gone is a VM and the jail that it kept from ending.
func gone(t *testing.T, cell, vm string) {
	t.Helper()
	if _, err := os.Lstat("/dev/vmm/" + vm); err == nil {
		t.Errorf("the VM %s is still there", vm)
	}
	eventually(t, slow, "the end of the jail", func() bool {
		_, code := host(t, nil, "jls", "-d", "-j", "skep-"+cell)
		return code != 0
	})
}

// TestStrangersAtTheEnd: a VM that no plan names is found when its cell ends, destroyed and reported.
func TestStrangersAtTheEnd(t *testing.T) {
	l := clean(t)
	l.cell("brk", `restart = "always"`)
	l.must(0, "up", "brk")
	vm := stranger(t, "brk")
	l.skep("kill", "brk")
	gone(t, "brk", vm)
	r := l.skep("show", "brk")
	if !strings.Contains(r.out, "held") || !strings.Contains(r.out, "break-in") || !strings.Contains(r.out, vm) {
		t.Error(r)
	}
}

// TestStrangersSwept: the same where the keeper has died.
func TestStrangersSwept(t *testing.T) {
	l := clean(t)
	l.cell("brk", "")
	l.must(0, "up", "brk")
	s := l.show("brk")
	vm := stranger(t, "brk")
	for _, pid := range []int{s.KeeperPID, s.PID} {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	eventually(t, slow, "the keeper's end", func() bool { return syscall.Kill(s.KeeperPID, 0) != nil })
	r := l.skep("sweep")
	if r.code != 0 || !strings.Contains(r.err+r.out, "break-in") || !strings.Contains(r.err+r.out, vm) {
		t.Error(r)
	}
	gone(t, "brk", vm)
}
