package provision

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/fault"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
	"skep/internal/plan"
	"skep/internal/store"
)

// acquireCgroup makes the group and sets its limits. A group of that name that a
// dead cell left is empty and is made anew, so that no old limit stays.
func acquireCgroup(g *plan.Cgroup) error {
	var err error
	// Another cell's end may remove the directory above in between.
	for range 100 {
		if err = os.MkdirAll(filepath.Dir(g.Path), 0o755); err != nil {
			break
		}
		if err = os.Mkdir(g.Path, 0o755); errors.Is(err, fs.ErrExist) {
			if err = os.Remove(g.Path); err == nil {
				err = os.Mkdir(g.Path, 0o755)
			}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "make the control group %s", g.Path)
	}
	if g.Tree == "v2" {
		dir := filepath.Dir(g.Path)
		for _, name := range g.Controllers() {
			if err := handDown(dir, name); err != nil {
				return fault.Wrap(fault.Host, err, "", "use the %s controller below %s", name, dir)
			}
		}
	}
	for _, s := range g.Limits {
		path := filepath.Join(g.Path, s.File)
		err := os.WriteFile(path, []byte(s.Value), 0)
		if errors.Is(err, fs.ErrNotExist) && s.Optional() {
			continue
		}
		if err != nil {
			return fault.Wrap(fault.Host, err, "", "limit the cell: write %s to %s", s.Value, path)
		}
	}
	return nil
}

// handDown has a controller work in the children of a directory, and so in the
// directory: systemd, say, hands cpu down from the top of the tree only once a
// service of its own has a use for it. It stays handed down there, as others may
// count on it by then.
func handDown(dir, controller string) error {
	has := func(file string) (bool, error) {
		b, err := os.ReadFile(filepath.Join(dir, file))
		return slices.Contains(strings.Fields(string(b)), controller), err
	}
	below, err := has("cgroup.subtree_control")
	if below || err != nil {
		return err
	}
	here, err := has("cgroup.controllers")
	if err != nil {
		return err
	}
	if !here {
		// Above the top of the tree there is no such file, and that is the error.
		if err := handDown(filepath.Dir(dir), controller); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0)
}

// releaseCgroup kills whatever is left in the group and removes it. A process
// leaves its group some time after it was killed.
func releaseCgroup(ctx context.Context, g *plan.Cgroup) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := os.Remove(g.Path)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			// The directory of all cells goes with the last of them.
			_ = os.Remove(filepath.Dir(g.Path))
			removeOfJob(g.Below)
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
		killCgroup(g.Path)
		time.Sleep(2 * time.Millisecond)
	}
}

// removeOfJob removes what a batch system could not remove of a job's groups, because a cell's were still below
// them: its keeper was killed. One that is in use stays, and so does what is not of one job: Slurm's are
// …/job_7/step_0/task_0.
func removeOfJob(dir string) {
	if !ofJob.MatchString(dir) {
		return
	}
	for os.Remove(dir) == nil && !ofJob.MatchString("/"+filepath.Base(dir)+"/") {
		dir = filepath.Dir(dir)
	}
}

// ofJob matches a path with the group of one job in it.
var ofJob = regexp.MustCompile(`/job_[0-9]+(/|$)`)

// killCgroup kills every process in a group: at once where the kernel has
// cgroup.kill (Linux 5.14, v2 only), else one by one.
func killCgroup(path string) {
	if os.WriteFile(filepath.Join(path, "cgroup.kill"), []byte("1"), 0) == nil {
		return
	}
	b, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
	if err != nil {
		return
	}
	for _, pid := range strings.Fields(string(b)) {
		n := 0
		for _, d := range pid {
			n = n*10 + int(d-'0')
		}
		// A thread of our own, still on its way out of a v1 group, has us in that list.
		if n > 1 && n != os.Getpid() {
			_ = unix.Kill(n, unix.SIGKILL)
		}
	}
}

// releaseHypervisor ends the process, if it still is the one that was started:
// a pid alone may be another's by now.
func (t *linuxProvisioner) releaseHypervisor(ctx context.Context, h store.Held) error {
	if t.qemu != nil {
		_ = t.qemu.proc.Kill()
		select {
		case <-t.qemu.exited:
		case <-ctx.Done():
			return ctx.Err()
		}
		t.workers.letGo()
		if w := t.qemu.words; w != nil {
			w.r.Close()
		}
		t.drop("cgroup")
		return t.qemu.proc.Release()
	}
	return t.endProcess(ctx, h)
}

// endProcess ends a process that another keeper has started.
func (t *linuxProvisioner) endProcess(ctx context.Context, h store.Held) error {
	if h.PID == 0 || !t.sameBoot {
		return nil
	}
	p, err := linuxjail.Adopt(h.PID, h.Start, jail.Record{})
	if err != nil {
		return nil // gone
	}
	defer p.Release()
	if err := p.Kill(); err != nil {
		return err
	}
	_, err = p.Wait(ctx)
	return err
}
