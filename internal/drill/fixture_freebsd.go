package drill

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
	*session
	Bait      *bait.Bait
	Neighbour *bait.Neighbour // nil where there is none
	Plan      *plan.Plan
	child     inhabitant
	jid       int         // of its jail; 0 where it has none
	keeper    *keeperSide // of one in a worker's place
	harness   provision.Fixture
	own       possessions
	measuring bool // layers are missing on purpose: nothing is left out for want of one

	stacks *[]uint64 // where the stacks of all attackers so far were
}

// inhabitant is the process of an attacker.
type inhabitant interface {
	Pid() int
	Exited() <-chan struct{}
}

// pid is the attacker's number on the host.
func (s *Fixture) pid() int {
	if s.child == nil {
		return s.Bait.PID() // a test outside any jail
	}
	return s.child.Pid()
}

// ignoreSignals has the attacker live on where a call is not there at all (SIGSYS), and its children go when
// they end (SIGCHLD).
func (s *Fixture) ignoreSignals() error {
	ignore := append(words(1), make([]byte, 24)...) // struct sigaction: SIG_IGN, no flags, no mask
	for _, signal := range []syscall.Signal{unix.SIGSYS, unix.SIGCHLD, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGPIPE} {
		if r := s.call(unix.SYS_SIGACTION, int(signal), ignore, 0); r.gone || r.errno != 0 {
			return fmt.Errorf("cannot speak with the attacker: ignore %s: %v", signal, r)
		}
	}
	return nil
}

// leave ends the attacker and what it has started.
func (s *Fixture) leave() {
	s.session.close()
	if s.keeper != nil {
		s.keeper.link.Close()
	}
	_ = syscall.Kill(s.child.Pid(), syscall.SIGKILL) // it is this process's child, and not waited for by others
	select {
	case <-s.child.Exited():
	case <-time.After(patience):
	}
	if s.harness.Missing.Launch.Jail() {
		_ = syscall.Kill(-s.child.Pid(), syscall.SIGKILL) // it leads its group; nothing else holds them together
		return
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		left, err := process.InJail(s.jid)
		if err != nil || len(left) == 0 {
			return
		}
		for _, i := range left {
			_ = syscall.Kill(i.PID, syscall.SIGKILL)
		}
	}
}
