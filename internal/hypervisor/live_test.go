package hypervisor_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"skep/internal/cell"
	"skep/internal/hypervisor"
	"skep/internal/qmp"
)

// A live is a QEMU started without any jail, with its descriptors handed in as
// the launcher would.
type live struct {
	t       *testing.T
	dir     string
	cmd     *exec.Cmd
	qmp     *qmp.Client
	console string   // path of its socket
	typist  net.Conn // who types there, once someone did
	log     string   // path of the console's log
	stderr  *hypervisor.Stderr
	exited  chan error
}

// inputs are the files behind a cell's descriptors.
type inputs struct {
	flashCode, flashVars string
	disks                map[string]string
	taps                 map[string]*os.File
	dataDir              string
	kernel, initrd       string
	cpu                  string
}

func needQEMU(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: no QEMU")
	}
	path, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("no qemu-system-x86_64 here")
	}
	return path
}

// versionOf is what a QEMU says of itself.
func versionOf(t *testing.T, qemu string) string {
	t.Helper()
	out, err := exec.Command(qemu, "--version").Output()
	m := regexp.MustCompile(`version (\d+(\.\d+)+)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("%s --version: %q, %v", qemu, out, err)
	}
	return string(m[1])
}

// start runs QEMU as composed and connects to its QMP socket; the guest waits.
// wrap, if any, is a command to run it under.
func start(t *testing.T, c *cell.Cell, accel cell.Accel, in inputs, wrap ...string) *live {
	t.Helper()
	qemu := needQEMU(t)
	// Socket paths are short: sun_path holds 108 bytes.
	dir, err := os.MkdirTemp("", "hv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &live{t: t, dir: dir, console: filepath.Join(dir, "console"), log: filepath.Join(dir, "log"),
		stderr: &hypervisor.Stderr{}, exited: make(chan error, 1)}

	list := hypervisor.QEMUDescriptors(c)
	var files []*os.File
	for _, d := range list {
		files = append(files, l.open(d, in))
	}
	args := hypervisor.QEMUArgs(c, hypervisor.QEMUInput{Accel: accel, FD: hypervisor.Number(list),
		DataDir: in.dataDir, CPU: in.cpu, KernelPath: in.kernel, InitrdPath: in.initrd, Version: versionOf(t, qemu)})
	argv := append(append([]string{}, wrap...), qemu)
	argv = append(argv, args...)
	l.cmd = exec.Command(argv[0], argv[1:]...)
	l.cmd.ExtraFiles, l.cmd.Stderr, l.cmd.Env = files, l.stderr, []string{}
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		f.Close()
	}
	go func() { l.exited <- l.cmd.Wait() }()
	t.Cleanup(func() { l.cmd.Process.Kill(); <-l.exited })
	l.qmp = l.connect()
	return l
}

// open makes what stands behind a descriptor.
func (l *live) open(d hypervisor.Descriptor, in inputs) *os.File {
	l.t.Helper()
	path := filepath.Join(l.dir, d.Name)
	switch kind, label, _ := strings.Cut(d.Name, ":"); kind {
	case hypervisor.FDFlashCode:
		path = in.flashCode
	case hypervisor.FDFlashVars:
		path = in.flashVars
	case "disk":
		path = in.disks[label]
	case "tap":
		return in.taps[label]
	case hypervisor.FDConsoleLog:
		path = l.log
	}
	var f *os.File
	var err error
	switch d.Use {
	case hypervisor.UseListen:
		var s *net.UnixListener
		if s, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"}); err == nil {
			s.SetUnlinkOnClose(false)
			f, err = s.File()
			s.Close()
		}
	case hypervisor.UseRead:
		f, err = os.Open(path)
	case hypervisor.UseWrite:
		f, err = os.OpenFile(path, os.O_RDWR, 0)
	case hypervisor.UseAppend:
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	default:
		l.t.Fatalf("descriptor %s has the unknown use %q", d.Name, d.Use)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return f
}

func (l *live) connect() *qmp.Client {
	l.t.Helper()
	conn, err := net.Dial("unix", filepath.Join(l.dir, hypervisor.FDQMP))
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	q, err := qmp.New(ctx, conn)
	if err != nil {
		l.cmd.Process.Kill()
		<-l.exited
		l.exited <- nil
		l.t.Fatalf("no QMP: %v\nstderr: %s\nargv: %q", err, l.stderr.LastWords(), l.cmd.Args)
	}
	l.t.Cleanup(func() { q.Close() })
	return q
}

// want waits for an event.
func (l *live) want(kind hypervisor.EventKind, within time.Duration) hypervisor.Event {
	l.t.Helper()
	after := time.After(within)
	for {
		select {
		case e, ok := <-l.qmp.Events():
			if !ok {
				l.t.Fatalf("QEMU ended while %s was awaited: %v\nstderr: %s", kind, l.qmp.Err(), l.stderr.LastWords())
			}
			if e.Kind == kind {
				return e
			}
		case <-after:
			log, _ := os.ReadFile(l.log)
			l.t.Fatalf("no %s within %s; console:\n%s", kind, within, log)
		}
	}
}

// control matches what a terminal is told between the words, such as colours.
var control = regexp.MustCompile("\x1b\\[[0-9;=?]*[A-Za-z]")

// noShell is what a UEFI firmware says that has no shell built in, as Debian's from 2026 on.
const noShell = "BdsDxe: No bootable option"

// wantText waits until the console's log holds a text, colours left out.
func (l *live) wantText(text string, within time.Duration) {
	l.t.Helper()
	l.wantOne(within, text)
}

// wantOne is the same for one of several texts, and says which it was.
func (l *live) wantOne(within time.Duration, texts ...string) string {
	l.t.Helper()
	var log []byte
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		log, _ = os.ReadFile(l.log)
		for _, text := range texts {
			if bytes.Contains(control.ReplaceAll(log, nil), []byte(text)) {
				return text
			}
		}
	}
	l.t.Fatalf("none of %q on the console within %s:\n%s\nstderr: %s", texts, within, log, l.stderr.LastWords())
	return ""
}

// send types on the console, over one connection that stays: QEMU throws away
// what the guest has not yet taken when its client leaves.
func (l *live) send(text string) {
	l.t.Helper()
	if l.typist == nil {
		conn, err := net.Dial("unix", l.console)
		if err != nil {
			l.t.Fatal(err)
		}
		l.t.Cleanup(func() { conn.Close() })
		go io.Copy(io.Discard, conn) // a client that does not read holds the guest up
		l.typist = conn
	}
	if _, err := io.WriteString(l.typist, text); err != nil {
		l.t.Fatal(err)
	}
}

// quit ends QEMU and returns what Wait said.
func (l *live) quit() error {
	l.t.Helper()
	if err := l.qmp.Quit(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	select {
	case err := <-l.exited:
		l.exited <- err
		return err
	case <-time.After(10 * time.Second):
		l.t.Fatal("QEMU did not quit")
		return nil
	}
}
