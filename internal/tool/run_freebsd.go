package tool

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/host"
	"skep/internal/jail"
	"skep/internal/jail/freebsdjail"
	"skep/internal/jailparam"
	"skep/internal/process"
)

// inJail: fdescfs(5) hands out a copy of a descriptor, whatever the file's mode. Files come after the
// control socket, in the order of a job; the caller replaces the name by its number.
func inJail(name string) string { return "/handed/" + name }

// executable is this program. It is looked up when the process starts: the kernel has no name for a file
// that an upgrade has replaced since.
var executable, errExecutable = os.Executable()

// addresses is what a Go program reserves before its first line, and more.
const addresses = 4 << 30

// start is what a process is told on its command line, before it is jailed.
type start struct {
	freebsdjail.Confinement
	Memory int64 `json:"memory"`
	// Again: what procctl(2) gives to the next program alone is to be had by another start, once.
	Again bool     `json:"again,omitempty"`
	Exec  string   `json:"exec,omitempty"` // a program instead of a reader
	Argv  []string `json:"argv,omitempty"`
}

func run(ctx context.Context, f host.Facts, j Job) (out Output, err error) {
	if errExecutable != nil {
		return out, errExecutable
	}
	s := start{Memory: j.Limits.Memory, Confinement: freebsdjail.Confinement{Keep: 1 + len(j.Files), Capsicum: j.Tool.reader != "", Limits: j.limits()}}
	if p := j.Prison; p != nil {
		s.JID, s.UID, s.GID, s.Limits, s.Again = p.JID, p.UID, p.GID, p.Limits, true
		s.Rights = map[int]string{0: "", 1: rightsSay, 2: rightsSay, controlFD: rightsStream}
		out.UID = s.UID
		return out, s.spend(ctx, j, &out)
	}
	root := "/var/empty"
	if j.Tool.path != "" {
		t, ferr := furnish(f, j)
		if ferr != nil {
			return out, jailed(ferr, "", j.Tool)
		}
		defer func() { err = errors.Join(err, t.clear()) }()
		root, s.Exec, s.Argv = t.root, t.program, t.argv
	}
	if f.EUID == 0 {
		who := host.ToolIdentity(f)
		s.UID, s.GID = who.UID, who.GID
		name := fmt.Sprintf("skep-tool-%d-%d", os.Getpid(), time.Now().UnixNano())
		if s.JID, err = freebsdjail.CreatePrison(prison(name, root)); err != nil {
			return out, jailed(err, "run skep on the host itself; inside a jail that one needs children.max", j.Tool)
		}
		defer func() { removeNamed(name, s.JID) }()
	} else if s.Exec != "" {
		return out, jailed(fmt.Errorf("a jail takes root: %w", errors.ErrUnsupported), "run it as root", j.Tool)
	}
	out.UID = s.UID
	err = s.spend(ctx, j, &out)
	return out, err
}

// Rights of what every service has, as freebsdjail.Limited names them: standard output and error, the control socket.
const (
	rightsSay    = "write fstat"
	rightsStream = "read write event fcntl"
)

// removeNamed removes a jail that may have gone by itself: the number could be another's by now.
func removeNamed(name string, jid int) {
	if p, err := freebsdjail.FindPrison(name); err == nil && p.JID == jid {
		_ = freebsdjail.RemovePrison(jid)
	}
}

// prison is a jail with nothing in it.
func prison(name, root string) []jailparam.Param {
	return []jailparam.Param{
		jailparam.String("name", name), jailparam.String("path", root), jailparam.String("host.hostname", "tool"),
		jailparam.Bool("persist", true),
		jailparam.System("ip4", jailparam.Disable), jailparam.System("ip6", jailparam.Disable),
		jailparam.Int("securelevel", 3), jailparam.Int("children.max", 0), jailparam.Int("enforce_statfs", 2),
		jailparam.Bool("allow.suser", false), jailparam.Bool("allow.set_hostname", false), jailparam.Bool("allow.raw_sockets", false),
	}
}

// limits are those of the process. A Go program reserves addresses that it never uses, and this system
// has no limit that counts what is used; beside it the runtime is told to keep below.
func (j Job) limits() []jail.Limit {
	l := j.Limits
	space := l.Memory
	if j.Tool.reader != "" {
		space += addresses
	} else {
		space += 1 << 30 // libraries and the stacks of its threads
	}
	return []jail.Limit{
		{Name: "core", Value: 0}, {Name: "memlock", Value: 0}, {Name: "fsize", Value: uint64(l.FileSize)},
		{Name: "cpu", Value: j.seconds()},
		{Name: "nofile", Value: uint64(j.descriptors())}, {Name: "as", Value: uint64(space)},
	}
}

// spend is the life of the tool.
func (s start) spend(ctx context.Context, j Job, out *Output) (err error) {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	pipes, err := newStreams(j, cancel)
	if err != nil {
		return err
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		pipes.started()
		return errors.Join(err, pipes.wait())
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "reader"), os.NewFile(uintptr(fds[1]), "control")
	conn, err := net.FileConn(ours)
	ours.Close()
	cmd := exec.Cmd{
		Path: cmp.Or(ReaderProgram, executable), Args: []string{"skep", readerName, string(text)}, Dir: "/", Env: []string{"GOMAXPROCS=2"},
		Stdout: pipes.out, Stderr: pipes.err, ExtraFiles: []*os.File{theirs},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	var limited []*os.File
	for _, f := range j.Files {
		if f.Rights != "" && err == nil {
			if f.File, err = freebsdjail.Limited(f.File, f.Rights, f.Ioctls...); err != nil {
				break
			}
			limited = append(limited, f.File)
		}
		cmd.ExtraFiles = append(cmd.ExtraFiles, f.File)
	}
	if err == nil {
		err = cmd.Start()
	}
	for _, f := range limited {
		f.Close()
	}
	theirs.Close()
	pipes.started()
	if err != nil {
		return errors.Join(err, pipes.wait())
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	if s.Exec == "" {
		err = converse(conn.(io.ReadWriter), j, func() error { return s.complete(cmd.Process.Pid, j) })
	}
	if err != nil {
		time.AfterFunc(50*time.Millisecond, func() { _ = cmd.Process.Kill() })
	}
	werr := cmd.Wait()
	serr := pipes.wait()
	out.Bytes, out.Words = pipes.bytes.Bytes(), pipes.words.words()
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	out.Exit = status.ExitStatus()
	switch {
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case status.Signaled() && spent(cmd.ProcessState) >= j.Limits.CPU:
		// SIGXCPU for one that takes it; this kernel kills who has used as much as the hard limit.
		return fmt.Errorf("%w: it used more than %s of the processor", ErrBound, j.Limits.CPU)
	case err != nil:
		return err
	case werr != nil:
		return fmt.Errorf("%w: %w", ErrFailed, werr)
	}
	return serr
}

// complete: its jail is, when it says that it is ready, as it has put it on itself. From here on the jail ends
// with it, also where its caller is killed first.
func (s start) complete(pid int, j Job) error {
	if j.service {
		info, err := process.Look(pid)
		if err != nil {
			return err
		}
		if !info.Capability || s.JID != 0 && (info.JID != s.JID || int(info.UID) != s.UID) {
			return fmt.Errorf("it has jid %d, user %d and is in capability mode: %v", info.JID, info.UID, info.Capability)
		}
		j.started(pid, info.Start)
		j.complete(s.UID, s.GID, nil)
	}
	if s.JID == 0 || j.Prison != nil {
		return nil
	}
	return freebsdjail.UpdatePrison(s.JID, jailparam.Bool("persist", false))
}

// spent is what an ended process has used of the processor.
func spent(s *os.ProcessState) time.Duration { return s.UserTime() + s.SystemTime() }

// confine puts the jail on this process; with a program to run, it does not return.
func confine(args []string) error {
	if len(args) != 1 {
		return errors.New("a reader is not started by hand")
	}
	var s start
	if err := json.Unmarshal([]byte(args[0]), &s); err != nil {
		return err
	}
	if s.Again {
		return s.again()
	}
	debug.SetMemoryLimit(s.Memory)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := s.Confine(); err != nil {
		return err
	}
	if s.Exec != "" {
		return freebsdjail.Exec(s.Exec, s.Argv)
	}
	return nil
}

// again asks the kernel for what begins with the next exec, W^X and ASLR, and is this program anew.
func (s start) again() error {
	if err := freebsdjail.Harden(); err != nil {
		return err
	}
	if errExecutable != nil {
		return errExecutable
	}
	s.Again = false
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return syscall.Exec(executable, []string{"skep", readerName, string(text)}, os.Environ())
}
