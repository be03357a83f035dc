package tool

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"syscall"
)

// A ReaderFunc is what a reader does, in its jail: it has the files, standard output, and nothing else.
// It may open nothing.
type ReaderFunc func(in Inside) error

// Readers are all readers that there are, by name.
type Readers map[string]ReaderFunc

// Inside is what a reader has.
type Inside struct {
	Args     []string
	Files    map[string]*os.File
	Out      io.Writer
	Flush    func() error // what was written to Out goes to the caller now
	Progress func(float64)
}

// readerName is the only argument of a process that is a reader. It is no verb.
const readerName = "(reader)"

// controlFD is a reader's socket to its caller, firstFile its first file.
const (
	controlFD = 3
	firstFile = 4
)

// Bounds of what goes over the control socket.
const (
	longestLine   = 64 << 10
	longestReason = 2 << 10
	mostLines     = 100_000
)

// task is what a reader is told once its jail is complete.
type task struct {
	Reader string   `json:"reader"`
	Args   []string `json:"args"`
	Files  []string `json:"files"` // their names, in the order of their numbers
}

// said is one line of a reader.
type said struct {
	Ready    bool    `json:"ready,omitempty"`
	Progress float64 `json:"progress,omitempty"`
	Done     bool    `json:"done,omitempty"`
	Error    string  `json:"error,omitempty"`
}

// ServeIfAsked turns the process into a reader where it was started as one, and then does not return. It
// must be called before anything else is done.
func ServeIfAsked(readers Readers) {
	if len(os.Args) < 2 || os.Args[1] != readerName {
		return
	}
	debug.SetTraceback("single")
	if err := confine(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	control := os.NewFile(controlFD, "control")
	tell := json.NewEncoder(control)
	if tell.Encode(said{Ready: true}) != nil {
		os.Exit(1)
	}
	// From here on the jail is complete: the caller answers only then.
	var t task
	if err := json.NewDecoder(io.LimitReader(control, longestLine)).Decode(&t); err != nil {
		os.Exit(1)
	}
	if err := t.serve(readers, tell); err != nil {
		_ = tell.Encode(said{Error: bounded(err.Error(), longestReason)})
		os.Exit(1)
	}
	_ = tell.Encode(said{Done: true})
	os.Exit(0)
}

func (t task) serve(readers Readers, tell *json.Encoder) (err error) {
	read, ok := readers[t.Reader]
	if !ok {
		return fmt.Errorf("there is no reader %q", t.Reader)
	}
	in := Inside{Args: t.Args, Files: map[string]*os.File{}, Progress: func(done float64) { _ = tell.Encode(said{Progress: done}) }}
	for i, name := range t.Files {
		// A descriptor that does not block would have the runtime make a poller, which no call is left for.
		if err := syscall.SetNonblock(firstFile+i, false); err != nil {
			return err
		}
		in.Files[name] = os.NewFile(uintptr(firstFile+i), name)
	}
	out := bufio.NewWriterSize(os.Stdout, 64<<10)
	in.Out, in.Flush = out, out.Flush
	return errors.Join(read(in), out.Flush())
}

func bounded(s string, most int) string {
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
