package worker

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"

	"skep/internal/jail/freebsdjail"
)

// Start is what a worker is told on its command line, before it is jailed.
type Start struct {
	freebsdjail.Confinement
	// Memory is what its runtime keeps below.
	Memory int64 `json:"memory"`
	// Hardened: what procctl(2) gives to the next program alone, this one has.
	Hardened bool `json:"hardened,omitempty"`
	// Exec is a descriptor of a program that it becomes, 0 for none: an attacker in its place.
	Exec int `json:"exec,omitempty"`
}

// Args are the arguments that it is started with.
func (s Start) Args() ([]string, error) {
	text, err := json.Marshal(s)
	return []string{"skep", Argument, string(text)}, err
}

// confine puts the jail on this process, before it has read a byte of anybody's.
func confine(args []string) error {
	var s Start
	if len(args) != 1 {
		return errors.New("a worker is not started by hand")
	}
	if err := json.Unmarshal([]byte(args[0]), &s); err != nil {
		return err
	}
	if s.Memory > 0 && s.Memory < math.MaxInt64 {
		debug.SetMemoryLimit(s.Memory)
	}
	if !s.Hardened && !s.Lack.Controls {
		return s.again()
	}
	// What is sent to everybody, as at a shutdown, is the keeper's to obey, which ends this with its cell.
	signal.Ignore(unix.SIGTERM)
	err := s.Confine()
	if err == nil && s.Exec != 0 {
		err = freebsdjail.ExecDescriptor(s.Exec, "attacker")
	}
	return err
}

// again asks the kernel for what begins with the next exec, W^X and ASLR, and is this program anew.
func (s Start) again() error {
	if err := freebsdjail.Harden(); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	s.Hardened = true
	args, err := s.Args()
	if err != nil {
		return err
	}
	return syscall.Exec(program, args, []string{"GOMAXPROCS=1"})
}
