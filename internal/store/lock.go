package store

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"skep/internal/fault"
	"skep/internal/process"
)

// Lock is a held flock(2) on a file. The kernel lets go of it when its holder
// dies, however that happens.
type Lock struct {
	f      *os.File
	path   string
	remove bool
}

// ErrHeld is wrapped by the error of a lock that somebody else holds.
var ErrHeld = errors.New("held by another process")

// LockCell takes the lock of a cell's keeper, or fails at once.
func (s *Store) LockCell(name string) (*Lock, error) {
	path := s.LockPath(name)
	l, err := lock(path, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, ErrHeld) {
		hint := "skep ps shows it; skep down " + name + " stops it"
		return nil, &fault.Error{Code: fault.Busy, Hint: hint, Op: "start", Subject: name, Reason: "it is already running" + holder(path)}
	}
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "lock the cell %s", name)
	}
	l.remove = true
	// For people, and for whoever must end a keeper that hears nothing; see Holder.
	_ = l.f.Truncate(0)
	_, _ = l.f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return l, nil
}

// LockConsole takes the lock of whoever is at a cell's console, or fails at
// once: two readers of one console would each get half of it, where the hypervisor serves it itself.
func (s *Store) LockConsole(name string) (*Lock, error) {
	path := s.dirs.ConsoleLock(name)
	l, err := lock(path, consoleLock|syscall.LOCK_NB)
	if errors.Is(err, ErrHeld) {
		return nil, fault.Cannot(fault.Host, "skep log -f "+name+" reads along", "join the console of", name, "somebody else is there")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "join the console of %s", name)
	}
	l.remove = true
	return l, nil
}

// Held says whether a living keeper holds the cell. It asks for a shared lock
// and lets go of it at once.
func (s *Store) Held(name string) bool {
	path := s.LockPath(name)
	fd, err := openSmall(path)
	if err != nil {
		return false
	}
	defer syscall.Close(fd)
	if syscall.Flock(fd, syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return false
	}
	// One that was killed is no living keeper, though its lock lasts until the
	// last of its threads is gone.
	b, err := readFrom(fd)
	pid := pidIn(b, err)
	return pid == 0 || !process.Gone(pid)
}

// Holder is the process that holds a cell's lock; held with a pid of 0 is one
// that has not said who it is.
func (s *Store) Holder(name string) (pid int, held bool) {
	if !s.Held(name) {
		return 0, false
	}
	return holderPID(s.LockPath(name)), true
}

// LockPath is the file of a cell's lock.
func (s *Store) LockPath(name string) string { return s.dirs.Lock(name) }

// lockSlots takes the lock under which slots are given out, waiting for it:
// its holders are brief.
func (s *Store) lockSlots() (*Lock, error) {
	return lock(s.dirs.SlotsLock(), syscall.LOCK_EX)
}

// LockNamed takes a lock of its own name in the state directory, waiting for
// it: for work that two processes would otherwise do at once.
func (s *Store) LockNamed(name string) (*Lock, error) {
	return lock(s.dirs.NamedLock(name), syscall.LOCK_EX)
}

// lock opens and locks a file. The file may be removed by a holder that lets
// go, so a lock counts only on the file that still has the name.
func lock(path string, how int) (*Lock, error) {
	// An attempt of Held may be holding the file for an instant, and a holder
	// that was killed holds it until the last of its threads is gone.
	deadline := time.Now().Add(time.Second)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := flock(f, how); err != nil {
			f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				if pid := holderPID(path); time.Now().Before(deadline) && (pid == 0 || process.Gone(pid)) {
					time.Sleep(5 * time.Millisecond)
					continue
				}
				return nil, fmt.Errorf("%s: %w", path, ErrHeld)
			}
			return nil, err
		}
		mine, err1 := f.Stat()
		there, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, there) {
			return &Lock{f: f, path: path}, nil
		}
		f.Close()
	}
}

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if err != syscall.EINTR {
			return err
		}
	}
}

// holderPID is who is written in a lock file, 0 where nobody is.
func holderPID(path string) int { return pidIn(readSmall(path)) }

func pidIn(b []byte, err error) int {
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return pid
}

// holder is " (keeper PID)" for the message, as far as it is written.
func holder(path string) string {
	if pid := holderPID(path); pid != 0 {
		return fmt.Sprintf(" (keeper %d)", pid)
	}
	return ""
}

// Unlock lets go of the lock, removing the file of a cell's lock first so that
// nothing is left behind.
func (l *Lock) Unlock() {
	if l == nil {
		return
	}
	if l.remove {
		os.Remove(l.path)
	}
	l.f.Close()
}
