package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/jail"
	"skep/internal/layout"
	"skep/internal/lifecycle"
	"skep/internal/plan"
)

// StateVersion is the version of the JSON form of State.
const StateVersion = 1

// Phase is the state that a cell is in.
type Phase = lifecycle.Phase

// The states that are published; the edges are drawn in package lifecycle.
const (
	Stopped  = lifecycle.Stopped
	Starting = lifecycle.Starting
	Running  = lifecycle.Running
	Paused   = lifecycle.Paused
	Stopping = lifecycle.Stopping
	Crashed  = lifecycle.Crashed
	OnHold   = lifecycle.Held
)

// State is what a keeper last said of its cell.
type State struct {
	Version int       `json:"version"`
	Name    string    `json:"name"`
	State   Phase     `json:"state"`
	Since   time.Time `json:"since"`
	Reason  string    `json:"reason,omitempty"` // why it stopped, crashed or is held
	// Run names the run, as its events do.
	Run string `json:"run,omitempty"`
	// Ends is when the time limit of the cell is over.
	Ends      time.Time `json:"ends,omitzero"`
	Suspended string    `json:"suspended,omitempty"` // who has paused the guest until it is asked to go on
	PID       int       `json:"pid,omitempty"`       // the hypervisor's, as the host sees it
	PIDStart  uint64    `json:"pid_start,omitempty"`
	KeeperPID int       `json:"keeper_pid,omitempty"`
	UID       int       `json:"uid"`
	GID       int       `json:"gid"`
	Accel     string    `json:"accel,omitempty"`
	Restarts  int       `json:"restarts,omitempty"`
	Resets    int       `json:"resets,omitempty"`
	Screen    string    `json:"screen,omitempty"`
	File      string    `json:"file,omitempty"`
	// NameInFile is the name that the file gave the cell, where it was started
	// by another one.
	NameInFile string `json:"name_in_file,omitempty"`
	// CellDigest is that of the cell as its file described it at the start. Who
	// lists many cells sees by it that a file has not changed.
	CellDigest string `json:"cell_digest,omitempty"`
	Boot       string `json:"boot,omitempty"` // the kernel's boot identity
	// Job is the job of a batch system that it runs for.
	Job      *host.Job `json:"job,omitempty"`
	End      string    `json:"end,omitempty"` // how the last run ended
	ExitCode int       `json:"exit_code,omitempty"`
	// LastConsole and LastWords are the last lines of the console and of the
	// hypervisor's standard error, of a cell that crashed or is held.
	LastConsole []string `json:"last_console,omitempty"`
	LastWords   []string `json:"last_words,omitempty"`

	Plan *plan.Plan `json:"plan,omitempty"`
	// Cell is what is kept, for whoever takes it up after its keeper's death.
	Cell *cell.Cell `json:"cell,omitempty"`
	// Relaxations are what the cell file asked for that widens the jail.
	Relaxations []cell.Relaxation `json:"loosenings,omitempty"`
	// Jail is what the launcher recorded of each layer.
	Jail *jail.Record `json:"jail,omitempty"`
	// Worker is who speaks with the hypervisor; nil where the keeper does.
	Worker *Worker `json:"worker,omitempty"`
	// WorkerJail is what the launcher recorded of its jail.
	WorkerJail *jail.Record `json:"worker_jail,omitempty"`
	// Services are the networks and captures of its cards, by the IDs of their resources.
	Services []Service `json:"services,omitempty"`
	// Refused are the calls that the hypervisor asked for and did not get.
	Refused *jail.Refusals `json:"refused,omitempty"`
	// Reach is what is reachable and callable in the running cell.
	Reach *Reach `json:"room,omitempty"`
}

// Worker is the process that speaks with the hypervisor for its keeper.
type Worker struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
	UID   int    `json:"uid"`
	GID   int    `json:"gid"`
	// Restarts are how often it was started again since the keeper began.
	Restarts int `json:"restarts,omitempty"`
	// Reason is why, the last time.
	Reason string `json:"reason,omitempty"`
}

// Service is a process in a jail of its own that a card has: its network in user space, or its capture.
type Service struct {
	ID    string `json:"id"` // of its resource: "network:lan"
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
	UID   int    `json:"uid"`
	GID   int    `json:"gid"`
	// Calls are how many its filter lets it make, and Sealed says that it lets it make no others.
	Calls  int  `json:"calls,omitempty"`
	Sealed bool `json:"sealed"`
	// Filters are how many filters it has, those of its keeper among them; 0 where nobody has written that down.
	Filters int `json:"filters,omitempty"`
	// OwnUID and EmptyRootfs say which of these layers its jail has.
	OwnUID      bool `json:"own_uid"`
	EmptyRootfs bool `json:"empty_rootfs"`
	// Restarts are how often it was started again since the keeper began.
	Restarts int `json:"restarts,omitempty"`
}

// Reach counts what a running hypervisor can still reach.
type Reach struct {
	Files    int `json:"files"`
	Nodes    int `json:"nodes"`
	Mounts   int `json:"mounts"`
	Syscalls int `json:"syscalls"` // 0 where calls are not counted: capability mode is no list of them
}

// String is the count for people.
func (r *Reach) String() string {
	many := func(n int, what string) string {
		if n != 1 {
			what += "s"
		}
		return fmt.Sprintf("%d %s", n, what)
	}
	s := many(r.Files, "file")
	if r.Files < 0 {
		s = "all files of an existing tree"
	}
	s += ", " + many(r.Nodes, "device node") + ", " + many(r.Mounts, "mount")
	if r.Syscalls > 0 {
		s += fmt.Sprintf(", %d system calls", r.Syscalls)
	}
	return s
}

// detail is the large part of a state. It is written once in a life and read
// only by who asks for one cell, so that a list of hundreds is quick.
type detail struct {
	Plan        *plan.Plan        `json:"plan,omitempty"`
	Cell        *cell.Cell        `json:"cell,omitempty"`
	Relaxations []cell.Relaxation `json:"loosenings,omitempty"`
	Jail        *jail.Record      `json:"jail,omitempty"`
	WorkerJail  *jail.Record      `json:"worker_jail,omitempty"`
}

// WriteState replaces the state of a running cell, but for its large part.
func (s *Store) WriteState(st State) error {
	st.Plan, st.Cell, st.Relaxations, st.Jail, st.WorkerJail = nil, nil, nil, nil, nil
	return writeJSON(filepath.Join(s.RunDir(st.Name), layout.State), st, false)
}

// WriteDetail replaces the large part of the state: plan, cell, jail.
func (s *Store) WriteDetail(st State) error {
	return writeJSON(filepath.Join(s.RunDir(st.Name), layout.Detail), detail{st.Plan, st.Cell, st.Relaxations, st.Jail, st.WorkerJail}, false)
}

// WriteLast replaces what is remembered of a cell that does not run.
func (s *Store) WriteLast(st State) error {
	if err := s.MakeStateDir(st.Name); err != nil {
		return err
	}
	return writeJSON(filepath.Join(s.StateDir(st.Name), layout.Last), st, true)
}

// ReadState is what the keeper of a cell last said, and whether that keeper
// lives. Without a run directory it is what is remembered, or simply stopped.
// The large part is left out; see ReadDetail.
func (s *Store) ReadState(name string) (State, bool, error) {
	held := s.Held(name)
	var st State
	err := readJSON(filepath.Join(s.RunDir(name), layout.State), &st)
	if errors.Is(err, fs.ErrNotExist) {
		err = readJSON(filepath.Join(s.StateDir(name), layout.Last), &st)
	}
	if errors.Is(err, fs.ErrNotExist) {
		st, err = State{State: Stopped, UID: -1, GID: -1}, nil
		if held {
			st.State = Starting
		}
	}
	st.Version, st.Name = StateVersion, name
	return st, held, err
}

// ReadDetail is ReadState with the large part, as far as there is one.
func (s *Store) ReadDetail(name string) (State, bool, error) {
	st, held, err := s.ReadState(name)
	if err != nil {
		return st, held, err
	}
	var d detail
	err = readJSON(filepath.Join(s.RunDir(name), layout.Detail), &d)
	if errors.Is(err, fs.ErrNotExist) {
		return st, held, nil
	}
	st.Plan, st.Cell, st.Relaxations, st.WorkerJail = d.Plan, d.Cell, d.Relaxations, d.WorkerJail
	if d.Jail != nil {
		st.Jail = d.Jail
	}
	return st, held, err
}

func writeJSON(path string, v any, durable bool) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeAside(path, append(b, '\n'), durable)
}

func readJSON(path string, v any) error {
	b, err := readSmall(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}
