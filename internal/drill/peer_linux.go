package drill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/drill/attack"
	"skep/internal/jail"
)

// A peer is an attacker in somebody else's sandbox. It takes its commands on its standard output, which
// most sandboxes hand on: a listening socket, its descriptor 1, as it has one argument. Where standard
// streams are copied it is 3, and it has three.
type peer struct {
	subject subject
	rootfs  peerRootfs
	cmd     *exec.Cmd
	socket  string
	said    *os.File // what the sandbox said
	pid     int      // the attacker's; the sandbox's own process is cmd's
	done    chan struct{}
	exit    jail.Exit
}

// start runs the subject's command.
func (s subject) start(ctx context.Context, rootfs peerRootfs) (*peer, error) {
	dir, err := os.MkdirTemp(rootfs.runs(), "")
	if err != nil {
		return nil, err
	}
	p := &peer{subject: s, rootfs: rootfs, socket: filepath.Join(dir, "socket"), done: make(chan struct{})}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p.socket})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	l.SetUnlinkOnClose(false)
	commands, err := l.File()
	if err != nil {
		return nil, err
	}
	defer commands.Close()
	if p.said, err = os.Create(filepath.Join(dir, "said")); err != nil {
		return nil, err
	}
	words := s.words(rootfs)
	p.cmd = exec.CommandContext(ctx, words[0], words[1:]...)
	p.cmd.Dir = rootfs.dir
	p.cmd.Stderr = p.said
	if s.commands == 1 {
		p.cmd.Stdout = commands
	} else {
		p.cmd.ExtraFiles = []*os.File{commands}
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Env = os.Environ()
	if s.user {
		p.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: peerUID, Gid: peerUID}
		p.cmd.Env = append(p.cmd.Env, "HOME="+peerHome, "USER="+peerName, "LOGNAME="+peerName)
	}
	if err := p.cmd.Start(); err != nil {
		p.said.Close()
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		if state := p.cmd.ProcessState; state != nil {
			p.exit = jail.Exit{Seen: true, Code: state.ExitCode()}
		}
		close(p.done)
	}()
	return p, nil
}

// meet connects to the attacker. The connection is there at once, its first words when it runs.
func (p *peer) meet() (*attack.Session, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: p.socket})
	if err != nil {
		return nil, err
	}
	s, err := attack.Meet(conn)
	if err != nil {
		conn.Close()
	}
	return s, err
}

// find looks for the one process that executes this subject's copy of the attacker.
func (p *peer) find() error {
	pids := p.attackers()
	if len(pids) != 1 {
		return fmt.Errorf("%d processes run the attacker", len(pids))
	}
	p.pid = pids[0]
	return nil
}

// attackers are all processes of the host that execute it. It lies on a file system of the drill's
// own, so that no other program has its device and number.
func (p *peer) attackers() (pids []int) {
	mine := map[[2]uint64]bool{}
	for _, path := range []string{p.rootfs.program, p.rootfs.inRoot()} {
		var st unix.Stat_t
		if unix.Stat(path, &st) == nil {
			mine[[2]uint64{st.Dev, st.Ino}] = true
		}
	}
	list, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, exe := range list {
		var st unix.Stat_t
		if unix.Stat(exe, &st) != nil || !mine[[2]uint64{st.Dev, st.Ino}] {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(exe, "/")[2]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// explain says what the sandbox said, where it did not get as far as the attacker.
func (p *peer) explain(err error) error {
	b, rerr := os.ReadFile(p.said.Name())
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	if last := bytes.TrimSpace(lines[len(lines)-1]); rerr == nil && len(last) > 0 {
		return errors.New(strconv.QuoteToASCII(string(last)))
	}
	select {
	case <-p.done:
		return fmt.Errorf("it ended with %d before the attacker spoke: %w", p.exit.Code, err)
	default:
	}
	return err
}

// Pid is the attacker's number on the host.
func (p *peer) Pid() int { return p.pid }

// Kill ends the attacker, all that it has started, and then the sandbox.
func (p *peer) Kill() error {
	for range 20 {
		pids := p.attackers()
		if len(pids) == 0 {
			break
		}
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		time.Sleep(5 * time.Millisecond)
	}
	select { // it clears away what it made when the attacker has ended
	case <-p.done:
		return nil
	case <-time.After(attack.Patience / 2):
	}
	err := unix.Kill(-p.cmd.Process.Pid, unix.SIGKILL)
	if p.subject.clean != nil {
		p.subject.clean(p.rootfs)
	}
	return err
}

// Done is closed when the sandbox has ended.
func (p *peer) Done() <-chan struct{} { return p.done }

// Wait returns how the sandbox ended: each hands on what the attacker ended with.
func (p *peer) Wait(ctx context.Context) (jail.Exit, error) {
	select {
	case <-p.done:
		return p.exit, nil
	case <-ctx.Done():
		return jail.Exit{}, ctx.Err()
	}
}

// Release closes what was held of it.
func (p *peer) Release() error { return p.said.Close() }
