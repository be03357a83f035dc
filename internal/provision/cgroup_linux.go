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

// acquireCgroup makes the group, locks it and sets its limits. A group of that name that a
// dead cell left is empty and is made anew, so that no old limit stays.
func (t *linuxProvisioner) acquireCgroup(g *plan.Cgroup) (store.Held, error) {
	dir, err := newGroup(g.Path)
	if err != nil {
		return store.Held{}, fault.Wrap(fault.Host, err, "", "make the control group %s", g.Path)
	}
	t.hold(groupLock(g), dir)
	held := store.Held{Note: groupID(dir)}
	return held, limitGroup(g)
}

// limitGroup sets the limits of a group.
func limitGroup(g *plan.Cgroup) error {
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

// releaseCgroup kills whatever is left in the group that was acquired, and removes it. A process leaves its group
// some time after it was killed. Where held does not say which group that was, nothing was put into one
// yet: then an empty one is removed, and any other is another cell's.
func (t *linuxProvisioner) releaseCgroup(ctx context.Context, g *plan.Cgroup, held store.Held) error {
	wait := 10 * time.Second
	if held.Note == "" {
		wait = time.Second
	}
	deadline := time.Now().Add(wait)
	for {
		err := t.removeGroup(g, held.Note)
		if err == nil {
			t.drop(groupLock(g))
			// The directory of all cells goes with the last of them.
			_ = os.Remove(filepath.Dir(g.Path))
			removeOfJob(g.Below)
			return nil
		}
		if passing := errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EWOULDBLOCK); !passing {
			return err
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			if held.Note == "" {
				return nil
			}
			return err
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// removeGroup removes the group with that number, or the one that is there where there is none to go by. Its lock
// is this process's, or nobody's. What runs in it is killed, and then it is EBUSY.
func (t *linuxProvisioner) removeGroup(g *plan.Cgroup, id string) error {
	if t.files[groupLock(g)] == nil {
		dir, err := lockGroup(g.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case errors.Is(err, unix.EWOULDBLOCK) && id != "" && !isGroup(g.Path, id):
			return nil // made anew, and another cell's by now
		case err != nil:
			return err
		}
		defer dir.Close()
		if id != "" && groupID(dir) != id {
			return nil
		}
	}
	err := os.Remove(g.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if errors.Is(err, unix.EBUSY) && id != "" {
		killCgroup(g.Path)
	}
	return err
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
