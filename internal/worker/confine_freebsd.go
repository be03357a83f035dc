package worker

import (
	"encoding/json"
	"errors"
	"math"
	"os/signal"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"skep/internal/jail/freebsdjail"
)

// Start is what a worker is told on its command line, before it is jailed.
type Start struct {
	freebsdjail.Confinement
	// Memory is what its runtime keeps below.
	Memory int64 `json:"memory"`
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
	// What is sent to everybody, as at a shutdown, is the keeper's to obey, which ends this with its cell.
	signal.Ignore(unix.SIGTERM)
	return s.Confine()
}
