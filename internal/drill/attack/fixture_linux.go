package attack

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/cell"
	"skep/internal/drill/bait"
	"skep/internal/jail"
	"skep/internal/jail/linuxjail"
	"skep/internal/layer"
	"skep/internal/plan"
)

// A body is the process that the attacker is.
type body interface {
	Pid() int // on the host
	Kill() error
	Done() <-chan struct{}
	Wait(context.Context) (jail.Exit, error)
	Release() error
}

// A Fixture is one attacker in one jail.
type Fixture struct {
	*Session
	Bait      *bait.Bait
	Neighbour *bait.Neighbour // nil where there is none
	Plan      *plan.Plan
	Spec      linuxjail.Spec
	Proc      body
	Jailed    *linuxjail.Process // the same, in a jail of ours; nil in a peer's
	KVM       *machine           // what a hypervisor has of KVM once its guest runs; nil without KVM
	sealed    bool
	Keeper    *keeperSide // the keeper's end, in a worker's jail
	Broker    *BrokerSide // and in that of a network that leads somewhere
	Card      net.Conn    // what else is at the other end of a network or a capture
	kept      uint64      // what was taken along from the start
	memory    uint64      // the descriptor of a clone's memory, or none
	Bound     jail.Limit  // set by the keeper once the guest is prepared
	LimitDisk cell.Size   // limits.disk of the cell
	Measuring bool        // layers are missing on purpose: nothing is left out for want of one

	Stacks *[]uint64 // where the stacks of all attackers so far were
}

// pid is the attacker's number on the host.
func (s *Fixture) pid() int { return s.Proc.Pid() }

// on reports whether a layer is applied in this fixture.
func (s *Fixture) on(id layer.ID) bool { return layer.On(s.Spec.Layers, id) }

// Prepare does what the keeper does once the guest is prepared: the start is over, the rootfs is
// emptied.
func (s *Fixture) Prepare(ctx context.Context) error {
	if s.Jailed == nil {
		return nil // nobody else has a start to end or a rootfs to empty
	}
	if err := s.Jailed.Seal(); err != nil {
		return err
	}
	s.sealed = true
	if s.Measuring {
		// It is set, or left out, with the layer; see only.
	} else if err := s.Jailed.Limit(s.Bound); err != nil {
		return err
	}
	if s.on(layer.EmptyRootfs) && s.on(layer.PrivateRoot) {
		if err := s.Jailed.Empty(ctx); err != nil {
			return err
		}
	}
	return nil
}

// HangUp ends what is the drill's of connections to the attacker.
func (s *Fixture) HangUp() {
	if s.Keeper != nil {
		s.Keeper.Link.Close()
	}
	if s.Card != nil {
		s.Card.Close()
	}
}

// Leave ends the attacker.
func (s *Fixture) Leave() {
	s.HangUp()
	s.Session.close()
	_ = s.Proc.Kill()
	select {
	case <-s.Proc.Done():
	case <-time.After(Patience):
	}
	s.reap()
	_ = s.Proc.Release()
}

// planned are the numbers of the descriptors that the plan hands in, and of the connection.
func (s *Fixture) planned() map[int]string {
	fds := map[int]string{0: "stdin", 1: "stdout", 2: "stderr", s.fd: "commands"}
	for i, fd := range s.Spec.FDs {
		fds[linuxjail.FDNumber(i)] = fd.Name
	}
	if s.memory != none && s.ofTemplate() {
		fds[int(s.memory)] = "memory"
	}
	if s.KVM != nil {
		for _, fd := range []uint64{s.KVM.kvm, s.KVM.vm, s.KVM.vcpu} {
			fds[int(fd)] = "kvm"
		}
	}
	return fds
}

// needHanded leaves an attempt to those who are handed that descriptor: a peer is not.
func needHanded(name string) func(*Fixture) (string, bool) {
	return func(s *Fixture) (string, bool) {
		for _, fd := range s.Spec.FDs {
			if fd.Name == name {
				return "", true
			}
		}
		return "it is handed no such descriptor", false
	}
}

// handed is the number of one of them.
func handed(name string) late {
	return func(s *Fixture) any {
		for i, fd := range s.Spec.FDs {
			if fd.Name == name {
				return linuxjail.FDNumber(i)
			}
		}
		panic(fmt.Sprintf("no descriptor %s", name))
	}
}

// reap ends what is left in the control group: without a namespace of their own, children live on.
// One by one, as a group that was killed as a whole takes no new process on some kernels.
func (s *Fixture) reap() {
	group := s.Spec.Cgroups.V2
	if group == nil {
		if s.Keeper != nil && s.Measuring {
			s.reapByProgram()
		}
		return
	}
	for range 10 {
		b, err := os.ReadFile(group.Name() + "/cgroup.procs")
		if err != nil || len(b) == 0 {
			return
		}
		for _, word := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(word); err == nil && pid > 1 {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// reapByProgram is reap of one without a control group: on the throwaway host its children are known by their program.
// The drill's bystander has that too, and stays.
func (s *Fixture) reapByProgram() {
	program, err := os.Stat(s.Bait.Program)
	if err != nil {
		return
	}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == s.Bait.PID() || pid == os.Getpid() {
			continue
		}
		if info, err := os.Stat("/proc/" + e.Name() + "/exe"); err == nil && os.SameFile(info, program) {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// commandsFD is where the attacker in the worker's place is told what to try; keeperFD is the worker's socket.
const (
	keeperFD   = linuxjail.FirstFD
	commandsFD = linuxjail.FirstFD + 1
)
