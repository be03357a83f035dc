package attack

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/drill/bait"
	"skep/internal/plan"
	"skep/internal/process"
	"skep/internal/provision"
)

// A Fixture is one attacker in one jail.
type Fixture struct {
	*Session
	Bait      *bait.Bait
	Neighbour *bait.Neighbour // nil where there is none
	Plan      *plan.Plan
	Child     inhabitant
	JID       int         // of its jail; 0 where it has none
	Keeper    *keeperSide // of one in a worker's place
	Harness   provision.Fixture
	own       possessions
	Measuring bool // layers are missing on purpose: nothing is left out for want of one

	Stacks *[]uint64 // where the stacks of all attackers so far were
}

// inhabitant is the process of an attacker.
type inhabitant interface {
	Pid() int
	Exited() <-chan struct{}
}

// pid is the attacker's number on the host.
func (s *Fixture) pid() int {
	if s.Child == nil {
		return s.Bait.PID() // a test outside any jail
	}
	return s.Child.Pid()
}

// IgnoreSignals has the attacker live on where a call is not there at all (SIGSYS), and its children go when
// they end (SIGCHLD).
func (s *Fixture) IgnoreSignals() error {
	ignore := append(words(1), make([]byte, 24)...) // struct sigaction: SIG_IGN, no flags, no mask
	for _, signal := range []syscall.Signal{unix.SIGSYS, unix.SIGCHLD, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGPIPE} {
		if r := s.call(unix.SYS_SIGACTION, int(signal), ignore, 0); r.gone || r.errno != 0 {
			return fmt.Errorf("cannot speak with the attacker: ignore %s: %v", signal, r)
		}
	}
	return nil
}

// Leave ends the attacker and what it has started.
func (s *Fixture) Leave() {
	s.Session.close()
	if s.Keeper != nil {
		s.Keeper.Link.Close()
	}
	_ = syscall.Kill(s.Child.Pid(), syscall.SIGKILL) // it is this process's child, and not waited for by others
	select {
	case <-s.Child.Exited():
	case <-time.After(Patience):
	}
	if s.Harness.Missing.Launch.Jail() {
		_ = syscall.Kill(-s.Child.Pid(), syscall.SIGKILL) // it leads its group; nothing else holds them together
		return
	}
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		left, err := process.InJail(s.JID)
		if err != nil || len(left) == 0 {
			return
		}
		for _, i := range left {
			_ = syscall.Kill(i.PID, syscall.SIGKILL)
		}
	}
}
