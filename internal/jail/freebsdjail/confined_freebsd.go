package freebsdjail

import (
	"context"
	"os"
	"os/exec"
	"syscall"

	"skep/internal/jail"
	"skep/internal/process"
)

// Confined is this program, started once more, as which it puts a Confinement on itself.
type Confined struct {
	cmd   *exec.Cmd
	start uint64
	done  chan struct{}
	exit  jail.Exit
}

// StartConfined starts it with these arguments, and these descriptors from 3 on. What it says on its standard output and
// error goes to stderr; stdin may be nil.
func StartConfined(args []string, stdin, stderr *os.File, files ...*os.File) (*Confined, error) {
	if errExecutable != nil {
		return nil, errExecutable
	}
	p := &Confined{done: make(chan struct{}), cmd: &exec.Cmd{
		Path: executable, Args: args, Dir: "/", Env: []string{"GOMAXPROCS=1"}, ExtraFiles: files,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}}
	if stdin != nil {
		p.cmd.Stdin = stdin
	}
	if stderr != nil {
		p.cmd.Stdout, p.cmd.Stderr = stderr, stderr
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if info, err := process.Look(p.Pid()); err == nil {
		p.start = info.Start
	}
	go func() {
		_ = p.cmd.Wait()
		if s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok {
			p.exit = exitOf(s)
		}
		close(p.done)
	}()
	return p, nil
}

// Pid is its number on the host.
func (p *Confined) Pid() int { return p.cmd.Process.Pid }

// StartTime is when it started.
func (p *Confined) StartTime() uint64 { return p.start }

// Kill ends it at once.
func (p *Confined) Kill() error { return p.cmd.Process.Kill() }

// Exited is closed when it is gone.
func (p *Confined) Exited() <-chan struct{} { return p.done }

// Wait waits for its end.
func (p *Confined) Wait(ctx context.Context) (jail.Exit, error) {
	select {
	case <-p.done:
		return p.exit, nil
	case <-ctx.Done():
		return jail.Exit{}, ctx.Err()
	}
}

// Release has nothing to let go of.
func (p *Confined) Release() error { return nil }
