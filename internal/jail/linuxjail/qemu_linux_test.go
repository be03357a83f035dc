package linuxjail

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skep/guest/hello"
	"skep/internal/jail"
	"skep/internal/jail/seccomp"
)

// qemu is a real hypervisor in a jail, with what a cell gives it.
type qemu struct {
	*Process
	qmp  string
	con  string
	logs string
}

const qemuPath = "/usr/bin/qemu-system-x86_64"

// minute bounds every wait for QEMU: it answers in milliseconds or not at all.
const minute = time.Minute

func qemuSpec(t testing.TB, accel string) (Spec, *qemu) {
	t.Helper()
	if _, err := os.Stat(qemuPath); err != nil {
		t.Skip("no QEMU here")
	}
	code := "/usr/share/OVMF/OVMF_CODE_4M.fd"
	if _, err := os.Stat(code); err != nil {
		t.Skip("no OVMF here")
	}
	dir := t.TempDir()
	if accel == "kvm" {
		// A KVM that is only software runs the built-in guest; what it does with OVMF is anyone's
		// guess, and no test of a jail.
		code = filepath.Join(dir, "hello.rom")
		if err := os.WriteFile(code, hello.ROM(), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	q := &qemu{qmp: filepath.Join(dir, "qmp"), con: filepath.Join(dir, "con"), logs: filepath.Join(dir, "log")}
	open := func(name string, flags int) *os.File {
		f, err := os.OpenFile(name, flags, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	listen := func(name string) *os.File {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		l.SetUnlinkOnClose(false)
		f, err := l.File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	vars, err := os.ReadFile("/usr/share/OVMF/OVMF_VARS_4M.fd")
	if err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "vars"), vars, 0o600); err != nil {
		t.Fatal(err)
	}
	disk := open(filepath.Join(dir, "disk"), os.O_RDWR|os.O_CREATE)
	if err := disk.Truncate(16 << 20); err != nil {
		t.Fatal(err)
	}
	tap := openTap(t)
	needs := []seccomp.Need{seccomp.Disk, seccomp.NIC, seccomp.Screen}
	files := closure(t, qemuPath)
	if accel == "tcg" { // Debian has it as a module
		if modules, _ := filepath.Glob("/usr/lib/*/qemu/accel-tcg-x86_64.so"); len(modules) == 1 {
			files = append(files, File{Inside: jail.RootfsPath(modules[0]), Host: jail.HostPath(modules[0]), Exec: true})
		}
	}
	for _, rom := range []string{"kvmvapic.bin", "keymaps/en-us"} {
		files = append(files, File{Inside: jail.RootfsPath("/usr/share/qemu/" + rom), Host: jail.HostPath("/usr/share/qemu/" + rom)})
	}
	files = append(files, File{Inside: "/usr/share/seabios/vgabios-stdvga.bin", Host: "/usr/share/seabios/vgabios-stdvga.bin"})
	spec := Spec{
		Hostname: "cell-qemu", Identity: testIdentity, Path: qemuPath,
		Root:   Root{Size: 1 << 20, Files: files, Nodes: []Node{{"/dev/null", "/dev/null"}}},
		Stdout: os.Stderr, Stderr: os.Stderr,
		FDs: []jail.FD{{Name: "qmp", File: listen(q.qmp)}, {Name: "console", File: listen(q.con)}, {Name: "log", File: open(q.logs, os.O_WRONLY|os.O_CREATE|os.O_APPEND)},
			{Name: "disk", File: disk}, {Name: "code", File: open(code, os.O_RDONLY)}, {Name: "vars", File: open(filepath.Join(dir, "vars"), os.O_RDWR)}, {Name: "tap", File: tap}},
		Limits: []jail.Limit{{Name: "nofile", Value: 256}},
		Layers: decisions(t, testIdentity),
	}
	second := ",pflash1=fw1"
	if accel == "kvm" { // the built-in guest has no variables; theirs is a disk more
		second = ""
	}
	spec.Argv = []string{"qemu-system-x86_64", "-nodefaults", "-no-user-config", "-S", "-m", "256", "-L", "/usr/share/qemu", "-L", "/usr/share/seabios",
		"-machine", "q35,mem-merge=off,dump-guest-core=off,vmport=off,pflash0=fw0" + second,
		"-chardev", "socket,id=qmp,fd=3,server=on,wait=off", "-mon", "chardev=qmp,mode=control",
		"-add-fd", "fd=5,set=9", "-chardev", "socket,id=con,fd=4,server=on,wait=off,logfile=/dev/fdset/9,logappend=on", "-serial", "chardev:con",
		"-add-fd", "fd=6,set=1", "-blockdev", "driver=file,filename=/dev/fdset/1,node-name=d0,aio=threads,discard=unmap", "-device", "virtio-blk-pci,drive=d0",
		"-add-fd", "fd=7,set=2", "-blockdev", "driver=file,filename=/dev/fdset/2,node-name=f0,read-only=on", "-blockdev", "driver=raw,file=f0,node-name=fw0,read-only=on",
		"-add-fd", "fd=8,set=3", "-blockdev", "driver=file,filename=/dev/fdset/3,node-name=f1", "-blockdev", "driver=raw,file=f1,node-name=fw1",
		"-netdev", "tap,id=n0,fd=9", "-device", "virtio-net-pci,netdev=n0,romfile=",
		"-device", "VGA", "-vnc", "none", "-smp", "2"}
	if accel == "kvm" {
		spec.Root.Nodes = append(spec.Root.Nodes, Node{"/dev/kvm", "/dev/kvm"})
		spec.Argv = append(spec.Argv, "-accel", "kvm", "-cpu", "qemu64")
		needs = append(needs, seccomp.KVM)
	} else {
		spec.Argv = append(spec.Argv, "-accel", "tcg,split-wx=on,thread=multi")
		needs = append(needs, seccomp.TCG)
	}
	spec.Policy = seccomp.QEMU(needs...)
	return spec, q
}

// openTap attaches a tap in a network namespace of the test's own, so that nothing is left behind.
func openTap(t testing.TB) *os.File {
	t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no tap: %v", err)
	}
	f := os.NewFile(uintptr(fd), "tap")
	t.Cleanup(func() { f.Close() })
	req, err := unix.NewIfreq("skept%d")
	if err != nil {
		t.Fatal(err)
	}
	req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		t.Skipf("no tap: %v", err)
	}
	return f
}

// monitor is just enough QMP for these tests.
type monitor struct {
	t    testing.TB
	conn *net.UnixConn
	in   *bufio.Reader
}

func dial(t testing.TB, path string) *monitor {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(minute))
	m := &monitor{t, conn, bufio.NewReader(conn)}
	if _, err := m.in.ReadBytes('\n'); err != nil {
		t.Fatalf("no greeting: %v", err)
	}
	m.do(`{"execute":"qmp_capabilities"}`, nil)
	return m
}

func (m *monitor) do(command string, pass *os.File) json.RawMessage {
	m.t.Helper()
	var rights []byte
	if pass != nil {
		rights = unix.UnixRights(int(pass.Fd()))
	}
	if _, _, err := m.conn.WriteMsgUnix([]byte(command), rights, nil); err != nil {
		m.t.Fatal(err)
	}
	for {
		line, err := m.in.ReadBytes('\n')
		if err != nil {
			m.t.Fatalf("%s: %v", command, err)
		}
		var reply struct{ Return, Error json.RawMessage }
		if err := json.Unmarshal(line, &reply); err != nil {
			m.t.Fatal(err)
		}
		if reply.Error != nil {
			m.t.Fatalf("%s: %s", command, reply.Error)
		}
		if reply.Return != nil {
			return reply.Return
		}
	}
}

// A real guest under the real policy: prepared, sealed, the rootfs emptied, run, looked at, reset,
// its monitor left and found again, and ended, all with the calls of the run phase.
func TestQEMU(t *testing.T) {
	needRoot(t)
	for _, accel := range []string{"tcg", "kvm"} {
		t.Run(accel, func(t *testing.T) {
			if err := kvmAnswers(); accel == "kvm" && err != nil {
				t.Skip("no KVM here")
			}
			spec, q := qemuSpec(t, accel)
			began := time.Now()
			q.Process = start(t, spec)
			t.Logf("%v to the exec", time.Since(began))
			m := dial(t, q.qmp)
			t.Logf("%v to the monitor", time.Since(began))
			if err := q.Seal(); err != nil {
				t.Fatal(err)
			}
			if err := q.Empty(t.Context()); err != nil {
				t.Fatal(err)
			}
			if left := inside(t, q.Pid()); len(left) != 0 {
				t.Errorf("left in the rootfs: %q", left)
			}
			if maps := proc(t, q.Pid(), "maps"); strings.Contains(maps, "rwx") {
				t.Error("memory is writable and executable")
			}
			m.do(`{"execute":"cont"}`, nil)
			m = q.use(t, m)
			m.do(`{"execute":"quit"}`, nil)
			exit, err := q.Wait(within(t))
			if err != nil || exit != (jail.Exit{Seen: true}) {
				t.Errorf("exit %+v, %v\n%s", exit, err, threads(q.Pid()))
			}
		})
	}
}

// use looks at the screen in both ways, resets the guest and comes back to its monitor.
func (q *qemu) use(t *testing.T, m *monitor) *monitor {
	t.Helper()
	deadline := time.Now().Add(6 * time.Second)
	for time.Now().Before(deadline) {
		if log, _ := os.ReadFile(q.logs); len(log) > 200 || strings.Contains(string(log), hello.Commands) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	ours, theirs := connected(t)
	m.do(`{"execute":"getfd","arguments":{"fdname":"v"}}`, theirs)
	m.do(`{"execute":"add_client","arguments":{"protocol":"vnc","fdname":"v","skipauth":true}}`, nil)
	theirs.Close()
	greeting := make([]byte, 12)
	if _, err := io.ReadFull(ours, greeting); err != nil || string(greeting) != "RFB 003.008\n" {
		t.Errorf("VNC says %q, %v", greeting, err)
	}
	m.do(`{"execute":"system_reset"}`, nil)
	time.Sleep(300 * time.Millisecond)
	m.conn.Close()
	return dial(t, q.qmp)
}

// connected is a pair of sockets, ours with a bound on how long it waits.
func connected(t *testing.T) (ours net.Conn, theirs *os.File) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(pair[0]), "vnc")
	defer f.Close()
	theirs = os.NewFile(uintptr(pair[1]), "vnc")
	if ours, err = net.FileConn(f); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	_ = ours.SetDeadline(time.Now().Add(minute))
	return ours, theirs
}

// threads says what each thread of a process that should have ended waits for.
func threads(pid int) string {
	var b strings.Builder
	tasks, _ := filepath.Glob(filepath.Join("/proc", itoa(pid), "task", "*"))
	for _, task := range tasks {
		for _, name := range []string{"comm", "wchan", "syscall", "stack"} {
			text, err := os.ReadFile(filepath.Join(task, name))
			if err != nil {
				text = []byte(err.Error())
			}
			b.WriteString(name + ": " + strings.TrimSpace(string(text)) + "\n")
		}
	}
	return b.String()
}

// kvmAnswers says whether /dev/kvm is a KVM: KVM_GET_API_VERSION.
func kvmAnswers() error {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = unix.IoctlRetInt(int(f.Fd()), 0xAE00)
	return err
}
