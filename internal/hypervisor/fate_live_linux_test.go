package hypervisor_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/cell"
	"skep/internal/hypervisor"
)

// helloROM is the built-in guest.
func helloROM(t *testing.T) string {
	t.Helper()
	path := filepath.Join("..", "..", "guest", "hello", "hello.rom")
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	return path
}

// startHello runs the built-in guest until it greets.
func startHello(t *testing.T, accel cell.Accel) *live {
	t.Helper()
	in := inputs{flashCode: helloROM(t), dataDir: t.TempDir()}
	if accel == cell.AccelKVM {
		in.cpu = kvmCPU(t)
	}
	l := start(t, testCells()["hello"], accel, in)
	if err := l.qmp.Cont(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.wantText("hello from", 10*time.Second)
	return l
}

// kvmCPU is the first processor that this KVM runs.
func kvmCPU(t *testing.T) string {
	t.Helper()
	qemu := needQEMU(t)
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	f.Close()
	for _, cpu := range hypervisor.CPUModels {
		cmd := exec.Command(qemu, "-machine", "none", "-accel", "kvm", "-display", "none", "-nodefaults", "-S", "-monitor", "stdio",
			"-machine", "q35", "-cpu", cpu)
		cmd.Stdin = strings.NewReader("quit\n")
		if cmd.Run() == nil {
			return cpu
		}
	}
	t.Skip("this KVM runs no processor that we offer")
	return ""
}

func eachAccel(t *testing.T, test func(t *testing.T, accel cell.Accel)) {
	for _, accel := range []cell.Accel{cell.AccelTCG, cell.AccelKVM} {
		t.Run(string(accel), func(t *testing.T) { test(t, accel) })
	}
}

// What the guest's own ends look like from outside, on a real QEMU.
func TestFates(t *testing.T) {
	eachAccel(t, func(t *testing.T, accel cell.Accel) {
		for _, tt := range []struct {
			order string
			want  hypervisor.EndKind
		}{
			{"q", hypervisor.EndPowerOff},
			{"r", hypervisor.EndReset},
			{"t", hypervisor.EndTripleFault},
		} {
			t.Run(tt.order, func(t *testing.T) {
				l := startHello(t, accel)
				l.send(tt.order)
				end := l.judge(accel)
				if tt.order == "t" && accel == cell.AccelKVM {
					// A KVM in hardware reports a reset, one in software gives up.
					if end.Kind != hypervisor.EndReset && end.Kind != hypervisor.EndInternalError {
						t.Errorf("%+v: want a reset or an internal error", end)
					}
					return
				}
				if end.Kind != tt.want {
					t.Errorf("%+v, want %s; stderr: %s", end, tt.want, l.stderr.LastWords())
				}
				if err := l.quit(); err != nil {
					t.Errorf("quit: %v", err)
				}
			})
		}
	})
}

// judge collects evidence until there is an end, as a keeper does.
func (l *live) judge(accel cell.Accel) hypervisor.End {
	l.t.Helper()
	e := hypervisor.Evidence{System: hypervisor.QEMU, Accel: accel, Ran: true}
	after := time.After(10 * time.Second)
	for {
		select {
		case ev := <-l.qmp.Events():
			e.Events = append(e.Events, ev)
			if ev.Kind != hypervisor.EventStop {
				continue
			}
		case <-after:
			l.t.Fatalf("no end in sight: %+v", e)
		}
		s, err := l.qmp.QueryStatus(l.t.Context())
		if err != nil {
			l.t.Fatal(err)
		}
		e.State = s.State
		e.TripleFault = l.stderr.TripleFault()
		if end, ok := hypervisor.Judge(e); ok {
			return end
		}
	}
}

// A guest that reset itself runs again in the same process, and tells of it
// again; a reset of ours does the same to one that hangs.
func TestReset(t *testing.T) {
	eachAccel(t, func(t *testing.T, accel cell.Accel) {
		l := startHello(t, accel)
		for i, order := range []string{"r", "h"} {
			l.send(order)
			if order == "r" {
				l.want(hypervisor.EventShutdown, 5*time.Second)
			}
			if err := l.qmp.Reset(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := l.qmp.Cont(t.Context()); err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				log, _ := os.ReadFile(l.log)
				if bytes.Count(log, []byte("hello from")) == i+2 {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("after order %s and a reset, no greeting number %d:\n%s", order, i+2, log)
				}
			}
		}
		l.send("q")
		for {
			e := l.want(hypervisor.EventShutdown, 5*time.Second)
			if e.Reason == hypervisor.ReasonGuestShutdown {
				break
			}
		}
	})
}

func TestPowerButton(t *testing.T) {
	eachAccel(t, func(t *testing.T, accel cell.Accel) {
		l := startHello(t, accel)
		if err := l.qmp.SystemPowerdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.want(hypervisor.EventPowerdown, 5*time.Second)
		if end := l.judge(accel); end.Kind != hypervisor.EndPowerOff {
			t.Errorf("%+v, want a power-off", end)
		}
	})
}

// The keeper dies, another takes over: both sockets listen again.
func TestSecondKeeper(t *testing.T) {
	l := startHello(t, cell.AccelTCG)
	l.qmp.Close()
	l.qmp = l.connect()
	l.send("x")
	l.send("q")
	if end := l.judge(cell.AccelTCG); end.Kind != hypervisor.EndPowerOff {
		t.Errorf("%+v, want a power-off", end)
	}
}

// A viewer comes by descriptor, with the password or, for our own use, without;
// the screen can be dumped to a file that QEMU has no path of.
func TestScreen(t *testing.T) {
	c := testCells()["screen"]
	l := start(t, c, cell.AccelTCG, behind(t, c))
	ctx := t.Context()
	if err := l.qmp.SetVNCPassword(ctx, "hive"); err != nil {
		t.Fatal(err)
	}
	if err := l.qmp.Cont(ctx); err != nil {
		t.Fatal(err)
	}
	l.wantOne(60*time.Second, "UEFI", noShell)

	for _, trusted := range []bool{true, false} {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		mine, theirs := os.NewFile(uintptr(pair[0]), "mine"), os.NewFile(uintptr(pair[1]), "theirs")
		defer mine.Close()
		if err := l.qmp.AddVNC(ctx, theirs, trusted); err != nil {
			t.Fatal(err)
		}
		theirs.Close()
		viewer, err := net.FileConn(mine)
		if err != nil {
			t.Fatal(err)
		}
		defer viewer.Close()
		viewer.SetDeadline(time.Now().Add(10 * time.Second))
		hello := make([]byte, 12)
		if _, err := io.ReadFull(viewer, hello); err != nil || string(hello) != "RFB 003.008\n" {
			t.Fatalf("%q, %v", hello, err)
		}
		viewer.Write(hello)
		security := make([]byte, 2)
		want := map[bool]string{true: "\x01\x01", false: "\x01\x02"}[trusted] // one type: None, or the password
		if _, err := io.ReadFull(viewer, security); err != nil || string(security) != want {
			t.Errorf("trusted %v: security types %q, %v; want %q", trusted, security, err, want)
		}
	}

	// A regular file, opened for nothing but writing.
	path := filepath.Join(t.TempDir(), "ppm")
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := l.qmp.Screendump(ctx, w); err != nil {
		t.Fatal(err)
	}
	ppm, _ := os.ReadFile(path)
	if !bytes.HasPrefix(ppm, []byte("P6\n")) || len(ppm) < 640*480*3 {
		t.Errorf("%d bytes that begin %.20q: not a screen", len(ppm), ppm)
	}
	t.Logf("%.15q", ppm)
	// A pipe is refused, and QEMU lives on.
	_, pw, _ := os.Pipe()
	if err := l.qmp.Screendump(ctx, pw); err == nil {
		t.Error("a pipe was taken: the comment on Screendump is out of date")
	}
	if _, err := l.qmp.QueryStatus(ctx); err != nil {
		t.Error(err)
	}
	if written, err := l.qmp.Written(ctx); err != nil || written {
		t.Errorf("written %v, %v: firmware's variables are not a disk", written, err)
	}
}
