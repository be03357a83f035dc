package tool

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/host"
	"skep/internal/jail/seccomp"
)

// launchers are calls that the launcher makes itself once the filter is on: a start without them fails.
const launchers = "sendmsg close execve exit_group write"

// notSeen are rows that no work here needs, with the reason why they stay.
var notSeen = map[string]string{
	"restart_syscall": "only after a stop in a wait",
	"clock_gettime":   "only where the clock cannot be read without a call",
	"rt_sigreturn":    "only after a signal",
	"tgkill":          "only where a goroutine does not yield",
	"getpid":          "only where a goroutine does not yield",
	"gettid":          "only in a new thread, and of a signal",
	"eventfd2":        "of the poller, which is made with the first timer, as often as not before the list is on",
	"epoll_create1":   "of the poller, as eventfd2", "epoll_ctl": "of the poller, as eventfd2",
	"epoll_pwait": "of the poller, when nothing else is to be done",
	"sigaltstack": "of a new thread, where none is idle",
	"exit":        "of a thread that has been idle for seconds",
	"sched_yield": "only where a lock is held at this very moment",
	"nanosleep":   "of the runtime's watcher, when there is much to do",

	"clock_nanosleep": "of qemu-img, where what it waits for is not there yet",
	"getrandom":       "of a map that is made when there is none to go on with",
	"madvise":         "when memory is given back, and of threads' stacks",
	"munmap":          "when memory is given back",
	"rt_sigaction":    "of a panic, and of the C library's first thread",
	"uname":           "where package os looks which kernel this is, once",
	"fsync":           "a caller sees to that today",
	"poll":            "of older releases of GLib", "fstat": "newfstatat is what this C library calls",
	"fallocate": "zeros on file systems that know them so", "copy_file_range": "between raw images on newer releases",
	"preadv": "of a format that reads in pieces", "pwritev": "of a format that writes in pieces",
	"fstatfs": "where direct input and output is asked for", "brk": "of a heap that grows",
}

// TestRowsAreNeeded: without any one of the rows, work that a tool does is refused something by that name.
func TestRowsAreNeeded(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds for each row")
	}
	f, img := facts(t), qemuImg(t)
	dir := t.TempDir()
	raw, qcow2 := filepath.Join(dir, "raw"), filepath.Join(dir, "qcow2")
	if err := os.WriteFile(raw, bytes.Repeat([]byte("0123456789abcdef"), 1<<16), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		policy seccomp.Policy
		work   func(without string) map[string]uint64
	}{
		{"qemu-img", seccomp.QEMUImg(), func(without string) map[string]uint64 {
			all := map[string]uint64{}
			for _, args := range [][]string{
				{"convert", "-p", "-f", "raw", "-O", "qcow2", InJail("in"), InJail("out")},
				{"convert", "-W", "-t", "none", "-f", "qcow2", "-O", "raw", InJail("in"), InJail("out")},
				{"check", "-f", "qcow2", InJail("in")},
			} {
				from, to := raw, qcow2
				if args[1] != "-p" {
					from, to = qcow2, raw+"2"
				}
				add(all, f, Job{Tool: Program(img), Args: args, Files: []File{{Name: "in", File: openFor(t, from)}, {Name: "out", File: openFor(t, to)}}, without: without})
			}
			return all
		}},
		{"a reader", seccomp.GoProgram(), func(without string) map[string]uint64 {
			all := map[string]uint64{}
			add(all, f, Job{Tool: Reader("all"), Files: []File{{Name: "in", File: openFor(t, raw)}, {Name: "out", File: openFor(t, raw+"3")}}, without: without})
			return all
		}},
	} {
		for _, row := range c.policy.Rows {
			if row.Phase == seccomp.Absent || strings.Contains(" "+launchers+" ", " "+row.Call+" ") {
				continue
			}
			why, excused := notSeen[row.Call]
			if excused && why != "" {
				continue
			}
			seen := false
			for try := 0; try < 5 && !seen; try++ { // some hang on what the runtime does just then
				seen = c.work(row.Call)[row.Call] > 0
			}
			if !seen {
				t.Errorf("%s does not need %s (%s): take the row out, or say why it stays", c.name, row.Call, row.Reason)
			}
		}
	}
}

func openFor(t *testing.T, path string) *os.File {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// add runs a job and adds what was refused of it. That it fails is what is to be seen.
func add(all map[string]uint64, f host.Facts, j Job) {
	j.Limits = Limits{Wall: 3 * time.Second, FileSize: 8 << 20}
	out, _ := Run(context.Background(), f, j)
	for call, n := range out.Refused {
		all[call] += n
	}
	for _, f := range j.Files {
		f.File.Close()
	}
}

// everything is a reader that does all that readers do.
func everything(in Inside) error {
	out := in.Files["out"]
	if err := out.Truncate(1 << 20); err != nil {
		return err
	}
	if _, err := in.Files["in"].Seek(0, unix.SEEK_SET); err != nil {
		return err
	}
	var b [64]byte
	if _, err := in.Files["in"].Read(b[:]); err != nil {
		return err
	}
	if _, err := out.ReadFrom(in.Files["in"]); err != nil {
		return err
	}
	if _, err := in.Files["in"].ReadAt(b[:], 64); err != nil {
		return err
	}
	if _, err := out.WriteAt(b[:], 64); err != nil {
		return err
	}
	if _, err := out.Stat(); err != nil {
		return err
	}
	done := make(chan int)
	for range 8 {
		go func() {
			runtime.LockOSThread() // a thread of its own, which ends with it
			time.Sleep(10 * time.Millisecond)
			s := make([]byte, 16<<20) // more than the runtime has in hand
			for i := 0; i < len(s); i += 4096 {
				s[i] = byte(i)
			}
			done <- int(s[len(s)/2])
		}()
	}
	for range 8 {
		<-done
	}
	return out.Sync()
}
