package freebsdjail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"skep/internal/jail"
	"skep/internal/process"

	"golang.org/x/sys/unix"
)

// launchWait bounds each word of a launcher.
const launchWait = 30 * time.Second

// executable is this program. It is looked up when the process starts: the
// kernel has no name for a file that an upgrade has replaced since.
var executable, errExecutable = os.Executable()

// Launch is a program to be started in a jail.
type Launch struct {
	JID      int
	Path     jail.RootfsPath
	Argv     []string
	UID, GID int
	Limits   []jail.Limit
	// Console is a device that is opened inside first, so that it belongs to
	// the jail, and stays open until the program runs.
	Console jail.RootfsPath
	// VM is made inside, as root of the jail, before the program runs; "" where the program makes it.
	VM string
	// Stdin is its standard input; nil is /dev/null.
	Stdin *os.File
	// Stderr takes what the program says on its standard output and error.
	Stderr *os.File
	// Keep are descriptors that stay open in the program for as long as it
	// lives: locks.
	Keep []*os.File
	// Bound: it ends with this process, whatever ends that.
	Bound bool
	// Lack is what is left out on purpose, to measure what it is good for.
	Lack Lack
}

// Lack names protections of a launch that are missing on purpose. A cell never lacks any.
type Lack struct {
	// Root is set where there is no jail: the program runs on the host, with this for its root.
	Root string `json:"root,omitempty"`
	// Controls: nothing is asked of procctl(2).
	Controls bool `json:"controls,omitempty"`
	// ClosedFDs: what a caller left open stays so. Directories are closed all the same where there is
	// a jail: jail_attach(2) refuses a process that has one.
	ClosedFDs bool `json:"closed_fds,omitempty"`
}

// Jail says whether the jail is missing.
func (l Lack) Jail() bool { return l.Root != "" }

// Child is a program in a jail, or about to be.
type Child struct {
	cmd    *exec.Cmd // nil for one that another process started
	pid    int
	conn   *net.UnixConn
	start  uint64
	exited chan struct{}
	exit   jail.Exit
}

// Prepare starts a launcher and returns once it stands in the jail with the
// console open and waits.
func Prepare(ctx context.Context, l Launch) (*Child, error) {
	c, err := begin(command{
		Do: doExec, JID: l.JID, Path: string(l.Path), Argv: l.Argv, UID: l.UID, GID: l.GID, Limits: l.Limits,
		Open: string(l.Console), Kept: len(l.Keep), VM: l.VM, Bound: l.Bound, Lack: l.Lack,
	}, l.Stdin, l.Stderr, l.Keep)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, c.Kill)
	defer stop()
	r, err := c.hear()
	if err == nil && !r.Ready {
		err = r.err()
	}
	if err != nil {
		c.Kill()
		<-c.exited
		c.conn.Close()
		return nil, err
	}
	info, err := process.Look(c.Pid())
	if err != nil {
		c.Kill()
		<-c.exited
		return nil, err
	}
	c.start = info.Start
	return c, nil
}

// Go lets the launcher become the program, and returns once it has.
func (c *Child) Go() error {
	defer c.conn.Close()
	if _, err := c.conn.Write([]byte{'g'}); err != nil {
		return fmt.Errorf("start it: %w", err)
	}
	r, err := c.hear()
	if errors.Is(err, io.EOF) {
		return nil // closed by exec
	}
	if err == nil {
		err = r.err()
	}
	c.Kill()
	<-c.exited
	return err
}

// begin starts a launcher and tells it what to do.
func begin(o command, stdin, stderr *os.File, keep []*os.File) (*Child, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	if errExecutable != nil {
		return nil, fmt.Errorf("find skep's own program: %w", errExecutable)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	theirs, ours := os.NewFile(uintptr(fds[1]), "launcher"), os.NewFile(uintptr(fds[0]), "keeper")
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		return nil, err
	}
	c := &Child{
		cmd: &exec.Cmd{
			Path: executable, Args: []string{"skep", launcherName}, Dir: "/",
			// Few threads: each counts against the jail's limit until exec.
			Env:         []string{"GOMAXPROCS=1"},
			Stdout:      stderr,
			Stderr:      stderr,
			ExtraFiles:  append([]*os.File{theirs}, keep...),
			SysProcAttr: &syscall.SysProcAttr{Setsid: true},
		},
		conn: conn.(*net.UnixConn), exited: make(chan struct{}),
	}
	if stderr == nil {
		c.cmd.Stdout, c.cmd.Stderr = nil, nil
	}
	if stdin != nil {
		c.cmd.Stdin = stdin
	}
	if err := c.cmd.Start(); err != nil {
		conn.Close()
		return nil, err
	}
	c.pid = c.cmd.Process.Pid
	go func() {
		_ = c.cmd.Wait()
		if s, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); ok {
			c.exit = exitOf(s)
		}
		close(c.exited)
	}()
	_ = c.conn.SetDeadline(time.Now().Add(launchWait))
	if _, err := c.conn.Write(text); err != nil {
		c.Kill()
		return nil, err
	}
	return c, nil
}

// hear reads one report; io.EOF says that the launcher's end was closed.
func (c *Child) hear() (report, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(launchWait))
	var r report
	var line []byte
	one := make([]byte, 1)
	for len(line) < 4096 {
		n, err := c.conn.Read(one)
		if n == 0 {
			if err == nil || errors.Is(err, syscall.ECONNRESET) {
				err = io.EOF
			}
			return r, err
		}
		if one[0] == '\n' {
			break
		}
		line = append(line, one[0])
	}
	return r, json.Unmarshal(bytes.TrimSpace(line), &r)
}

func (r report) err() error {
	if r.Errno == 0 && r.Step == "" {
		return nil
	}
	return &jail.StepError{Step: r.Step, Errno: syscall.Errno(r.Errno)}
}

// Pid is its number on the host.
func (c *Child) Pid() int { return c.pid }

// Start is when it started, as in Info.
func (c *Child) Start() uint64 { return c.start }

// Exited is closed when it is gone.
func (c *Child) Exited() <-chan struct{} { return c.exited }

// Exit is how it ended; valid once Exited is closed.
func (c *Child) Exit() jail.Exit { return c.exit }

// DestroyVMs ends VMs of a jail from inside of that jail, where no others of
// the same names can be meant, and says which. One that is not there is no error.
func DestroyVMs(jid int, names ...string) (ended []string, err error) {
	c, err := begin(command{Do: doDestroy, JID: jid, VMs: names}, nil, nil, nil)
	if err != nil {
		return nil, err
	}
	defer c.conn.Close()
	r, err := c.hear()
	if err != nil {
		// Not waited for: as long as a process uses the VM, the kernel lets no
		// signal through to one that destroys it.
		c.Kill()
		return nil, fmt.Errorf("destroy the VM %s: %w", strings.Join(names, ", "), err)
	}
	<-c.exited
	// jail_attach(2) says EINVAL of a jail that is gone by now; then nothing was looked for.
	if r.Step == destroyStep && r.Errno == 0 {
		return r.Ended, nil
	}
	return r.Ended, r.err()
}

// DestroyVMOutside ends a VM that outlived its jail.
func DestroyVMOutside(name string) error {
	control, err := openVMMControl()
	if err == nil {
		err = control.destroy(name)
		control.close()
	}
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("destroy the VM %s: %w", name, err)
	}
	return nil
}

// VMs lists the VMs of the whole host, whosever they are. The directory is read, and none of them is
// looked at.
func VMs() ([]string, error) {
	entries, err := os.ReadDir("/dev/vmm")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// Socket is a TCP socket in the network of a jail. It is not connected.
func Socket(jid int) (int, error) {
	return handed(command{Do: doSocket, JID: jid}, "ask the jail for a socket")
}

// Frames is bpf(4), bound for good to an interface of a jail's network: of a tap it sees what the guest has sent, and
// what is written to it the guest is sent.
func Frames(jid int, name string) (*os.File, error) {
	fd, err := handed(command{Do: doFrames, JID: jid, Interface: name}, "see the frames of "+name)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "frames of "+name), nil
}

// Quiet has a jail's network give itself no addresses. It has no interface yet.
func Quiet(jid int) error {
	c, err := begin(command{Do: doQuiet, JID: jid}, nil, nil, nil)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	defer func() { c.Kill(); <-c.exited }()
	r, err := c.hear()
	if err != nil {
		return fmt.Errorf("have the jail's network be quiet: %w", err)
	}
	return r.err()
}

// handed asks for a descriptor that is made in a jail.
func handed(ask command, what string) (int, error) {
	c, err := begin(ask, nil, nil, nil)
	if err != nil {
		return -1, err
	}
	defer c.conn.Close()
	defer func() { c.Kill(); <-c.exited }()
	text, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := c.conn.ReadMsgUnix(text, oob)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", what, err)
	}
	if oobn == 0 {
		var r report
		_ = json.Unmarshal(bytes.TrimSpace(text[:n]), &r)
		return -1, r.err()
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return -1, fmt.Errorf("%s: %w", what, errors.Join(err, errors.New("no descriptor came")))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, fmt.Errorf("%s: no descriptor came", what)
	}
	unix.CloseOnExec(fds[0])
	return fds[0], nil
}
