package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/jail/linuxjail"
	"skep/internal/keeper"
	"skep/internal/plan"
	"skep/internal/probe"
	"skep/internal/provision"
	"skep/internal/store"
)

// The jail alone is measured with true(1) in the hypervisor's place: the rootfs, the user, the filter
// and the groups are those of the built-in guest's cell, and QEMU's files are all in the rootfs. It is
// done in processes that are what a keeper is, each with a mount namespace of its own, so that more
// mounts can be made there than the host has.

// innerName begins the arguments of such a process; the number of mounts follows.
const innerName = "inner"

// A built is one jail that it built.
type built struct {
	Exec  time.Duration `json:"exec"`  // from the plan to the exec
	Ended time.Duration `json:"ended"` // and until true(1) had ended
	CPU   time.Duration `json:"cpu"`   // processor time, to its end
	Error string        `json:"error,omitempty"`
}

// A nursery is such a process.
type nursery struct {
	mounts int
	cmd    *exec.Cmd
	orders io.WriteCloser
	out    *json.Decoder
}

// newNursery starts it and waits until its cell's resources are taken.
func newNursery(dir string, mounts int) (*nursery, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, innerName, fmt.Sprint(mounts), dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	cmd.Stderr = os.Stderr
	n := &nursery{mounts: mounts, cmd: cmd}
	if n.orders, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	n.out = json.NewDecoder(out)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var ready built
	if err := n.out.Decode(&ready); err != nil || ready.Error != "" {
		n.close()
		return nil, fmt.Errorf("with %d mounts more: %v %s", mounts, err, ready.Error)
	}
	return n, nil
}

// build has it build one jail.
func (n *nursery) build() (b built, err error) {
	if _, err = fmt.Fprintln(n.orders); err == nil {
		err = n.out.Decode(&b)
	}
	if err == nil && b.Error != "" {
		err = errors.New(b.Error)
	}
	return b, err
}

func (n *nursery) close() {
	n.orders.Close()
	_ = n.cmd.Wait()
}

// inner is the process: it mounts, takes the resources of a cell, and then builds a jail for each line.
func inner(mounts int, dir string) error {
	answer := json.NewEncoder(os.Stdout)
	err := more(mounts, filepath.Join(dir, fmt.Sprintf("mounts-%d", os.Getpid())))
	if err == nil {
		err = dryRun(fmt.Sprintf("bench-%d", os.Getpid()), func(ctx context.Context, s provision.Fixture) error {
			if err := answer.Encode(built{}); err != nil {
				return err
			}
			for in := bufio.NewScanner(os.Stdin); in.Scan(); {
				b, err := one(ctx, s.Spec)
				if err != nil {
					b.Error = err.Error()
				}
				if err := answer.Encode(b); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		_ = answer.Encode(built{Error: err.Error()})
	}
	return err
}

// more makes mounts that nobody but this process sees.
func more(mounts int, dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	if mounts == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := unix.Mount("skep-bench", dir, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	for i := range mounts - 1 {
		at := filepath.Join(dir, fmt.Sprint(i))
		if err := os.Mkdir(at, 0o700); err != nil {
			return err
		}
		if err := unix.Mount(dir, at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount: %w", err)
		}
	}
	return nil
}

// dryRun takes the resources of a cell like the built-in guest's, with true(1) as its hypervisor.
func dryRun(name string, act func(context.Context, provision.Fixture) error) error {
	facts, err := probe.Probe(context.Background(), probe.Options{})
	if err != nil {
		return err
	}
	st, err := store.Open(facts.Dirs)
	if err != nil {
		return err
	}
	c := cell.Hello()
	c.Name, c.Accel = name, cell.AccelTCG
	if err := host.Ready(c, facts); err != nil {
		return err
	}
	program, err := filepath.EvalSymlinks("/bin/true")
	if err != nil {
		return err
	}
	substitute := func(p *plan.Plan) {
		for _, h := range plan.Specs[*plan.Hypervisor](p) {
			h.Argv = []string{"true"}
			for _, rootfs := range plan.Specs[*plan.Rootfs](p) {
				for i := range rootfs.Files {
					if rootfs.Files[i].Inside == h.Path {
						rootfs.Files[i].Host = program
					}
				}
			}
		}
	}
	k := keeper.New(keeper.Config{Cell: c, Facts: facts, Store: st, Foreground: true})
	return k.DryRun(context.Background(), substitute, act)
}

// one is a jail, from the plan to the exec and to the end of what runs in it.
func one(ctx context.Context, spec linuxjail.Spec) (b built, err error) {
	before, begin := processor(), time.Now()
	p, err := linuxjail.Start(ctx, spec)
	if err != nil {
		return b, err
	}
	b.Exec = time.Since(begin)
	exit, err := p.Wait(ctx)
	b.Ended = time.Since(begin)
	if err == nil && (exit.Code != 0 || exit.Signal != 0) {
		err = fmt.Errorf("true(1) ended with %+v", exit)
	}
	err = errors.Join(err, p.Release())
	b.CPU = processor() - before
	return b, err
}

// processor is the time that this process and its children that have ended have used.
func processor() (d time.Duration) {
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var u unix.Rusage
		if unix.Getrusage(who, &u) == nil {
			d += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return d
}
