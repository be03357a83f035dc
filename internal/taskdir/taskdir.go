// Package taskdir keeps the directory in which what came of each task of a job is found afterwards: one directory
// a task, that is there whole or not at all.
//
// Who runs a task holds a lock beside it meanwhile. On a file system that several hosts share it keeps a task that
// is queued again from running twice at once, when a host is lost and goes on all the same.
package taskdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"skep/internal/fault"
	"skep/internal/host"
)

// Version is the version of the JSON form of an Outcome.
const Version = 1

// OutcomeFile is the file of a task's directory that says how it ended.
const OutcomeFile = "outcome.json"

// Outcome is how one task ended.
type Outcome struct {
	Version int       `json:"version"`
	Name    string    `json:"name"` // the cell's, and the directory's
	Job     *host.Job `json:"job,omitempty"`
	Node    string    `json:"node"`
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended"`
	Status  int       `json:"status"` // the exit status
	End     string    `json:"end"`    // what the end of the guest was, such as "powered-off"
	Reason  string    `json:"reason,omitempty"`
	Digest  string    `json:"cell_digest,omitempty"`
	// Files, Bytes and LeftOut count what the guest has brought out; Error says why that is not all.
	Files   int    `json:"files"`
	Bytes   int64  `json:"bytes"`
	LeftOut int    `json:"left_out,omitempty"`
	Error   string `json:"error,omitempty"`
}

// ErrDone is an earlier try of the same job that has come to its end.
var ErrDone = errors.New("this job has run already")

// Task is the directory of one task that is about to run or runs.
type Task struct {
	dir  string
	name string
	top  *os.Root
	lock *os.File
	// replaces: there is an outcome of an earlier try that was stopped.
	replaces bool
	// Root is the directory while it is being filled.
	Root *os.Root
}

func lockName(name string) string { return "." + name + ".lock" }
func partName(name string) string { return "." + name + ".part" }
func oldName(name string) string  { return "." + name + ".old" }

// of says whether it is the outcome of that job.
func (o Outcome) of(j *host.Job) bool {
	return j != nil && o.Job != nil && j.ID != "" && o.Job.System == j.System && o.Job.ID == j.ID
}

// Claim takes a task: nobody else runs it until it is published or dropped.
func Claim(dir, name string, job *host.Job) (t *Task, err error) {
	cannot := func(err error) error {
		return fault.Wrap(fault.Input, bare(err), "name a directory that this user may write to", "write results to %s", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, cannot(err)
	}
	top, err := os.OpenRoot(dir)
	if err != nil {
		return nil, cannot(err)
	}
	t = &Task{dir: dir, name: name, top: top}
	defer func() {
		if err != nil {
			t.Drop()
		}
	}()
	if err := t.takeLock(); err != nil {
		if errors.Is(err, errHeld) {
			return t, fault.Cannot(fault.Busy, "it is queued again with the exit status 75", "start", name, "its task runs already%s", t.holder())
		}
		return t, cannot(err)
	}
	switch before, err := read(top, name); {
	case err == nil && before.of(job) && before.Status == int(fault.Stopped):
		t.replaces = true // somebody has stopped it, such as a batch system that puts it off
	case err == nil && before.of(job):
		return t, ErrDone
	case !errors.Is(err, fs.ErrNotExist):
		return t, fault.New(fault.Input, "name another directory, or remove it", "write results to %s: it is there already", filepath.Join(dir, name))
	}
	// What an earlier try was filling when it was killed.
	if err := top.RemoveAll(partName(name)); err != nil {
		return t, cannot(err)
	}
	if err := top.Mkdir(partName(name), 0o700); err != nil {
		return t, cannot(err)
	}
	if t.Root, err = top.OpenRoot(partName(name)); err != nil {
		return t, cannot(err)
	}
	return t, nil
}

// errHeld is a lock that another process holds, on this host or another one.
var errHeld = errors.New("held")

// takeLock takes the task's lock. Its file is removed by whoever lets go of it, so it counts only on the file that
// still has the name.
func (t *Task) takeLock() error {
	for {
		f, err := t.top.OpenFile(lockName(t.name), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		for err = syscall.EINTR; err == syscall.EINTR; {
			err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		}
		if err != nil {
			f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return errHeld
			}
			return err
		}
		mine, err1 := f.Stat()
		there, err2 := t.top.Stat(lockName(t.name))
		if err1 == nil && err2 == nil && os.SameFile(mine, there) {
			t.lock = f
			node, _ := os.Hostname()
			_ = f.Truncate(0)
			_, _ = fmt.Fprintf(f, "%s, process %d\n", node, os.Getpid())
			return nil
		}
		f.Close()
	}
}

// holder is " (NODE, process PID)", as far as it is written.
func (t *Task) holder() string {
	b, err := t.top.ReadFile(lockName(t.name))
	text := strings.TrimSpace(string(b))
	if err != nil || text == "" || len(text) > 200 {
		return ""
	}
	return fmt.Sprintf(" (%.200q)", text)
}

// Publish gives the directory its name, with the outcome in it.
func (t *Task) Publish(o Outcome) error {
	o.Version, o.Name = Version, t.name
	o.Node, _ = os.Hostname()
	b, err := json.MarshalIndent(o, "", "  ")
	if err == nil {
		err = t.Root.WriteFile(OutcomeFile, append(b, '\n'), 0o600)
	}
	if err == nil {
		err = syncAll(t.Root)
	}
	if err == nil && t.replaces {
		if err = t.top.RemoveAll(oldName(t.name)); err == nil {
			err = t.top.Rename(t.name, oldName(t.name))
		}
	}
	if err == nil {
		err = t.top.Rename(partName(t.name), t.name)
	}
	if err == nil {
		err = syncOne(t.top, ".")
	}
	if err != nil {
		return fault.Wrap(fault.Host, bare(err), "", "write the results of %s to %s", t.name, t.dir)
	}
	return nil
}

// syncAll has all that was written survive a host that goes down.
func syncAll(r *os.Root) error {
	return fs.WalkDir(r.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncOne(r, path)
	})
}

func syncOne(r *os.Root, path string) error {
	f, err := r.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); !errors.Is(err, syscall.EINVAL) { // some file systems sync no directories
		return err
	}
	return nil
}

// Drop lets go of the task. What was not published is removed.
func (t *Task) Drop() {
	if t.Root != nil {
		t.Root.Close()
		_ = t.top.RemoveAll(partName(t.name)) // gone where it was published
		_ = t.top.RemoveAll(oldName(t.name))
	}
	if t.lock != nil {
		_ = t.top.Remove(lockName(t.name))
		t.lock.Close()
	}
	if t.top != nil {
		t.top.Close()
	}
}

// maxOutcome bounds what is read of an outcome.
const maxOutcome = 1 << 20

func read(top *os.Root, name string) (o Outcome, err error) {
	if _, err := top.Lstat(name); err != nil {
		return o, err
	}
	f, err := top.Open(filepath.Join(name, OutcomeFile))
	if err != nil {
		return o, errors.New("it has no outcome")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxOutcome {
		return o, errors.New("its outcome is no file of skep's")
	}
	if err := json.NewDecoder(f).Decode(&o); err != nil {
		return o, err
	}
	if o.Version != Version {
		return o, fmt.Errorf("its outcome is of version %d, this skep reads %d", o.Version, Version)
	}
	return o, nil
}

// Outcomes are those of all tasks of a directory, by name as people count. wrong are what else has the form of a
// task's directory, and why it cannot be read.
func Outcomes(dir string) (all []Outcome, wrong []string, err error) {
	top, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Input, bare(err), "", "read the results in %s", dir)
	}
	defer top.Close()
	entries, err := fs.ReadDir(top.FS(), ".")
	if err != nil {
		return nil, nil, fault.Wrap(fault.Input, bare(err), "", "read the results in %s", dir)
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		o, err := read(top, e.Name())
		if err != nil {
			wrong = append(wrong, e.Name()+": "+err.Error())
			continue
		}
		o.Name = e.Name()
		all = append(all, o)
	}
	sort.SliceStable(all, func(i, j int) bool { return before(all[i].Name, all[j].Name) })
	return all, wrong, nil
}

// before sorts lab@9 before lab@10.
func before(a, b string) bool {
	pa, na := number(a)
	pb, nb := number(b)
	if pa == pb && len(na) != len(nb) {
		return len(na) < len(nb)
	}
	return a < b
}

// number parts a name from the number at its end.
func number(s string) (prefix, digits string) {
	prefix = strings.TrimRight(s, "0123456789")
	return prefix, strings.TrimLeft(s[len(prefix):], "0")
}

func bare(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}
