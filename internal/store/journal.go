package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"skep/internal/layout"
	"skep/internal/plan"
)

// Step says how far the taking or releasing of a resource has come.
type Step string

// The steps of a resource. Taking is written before the host is touched, so
// that no crash can lose a resource; Released after it has let go. Begun is for
// one that takes its time and can be found by what it holds already.
const (
	Taking   Step = "taking"
	Begun    Step = "begun"
	Taken    Step = "taken"
	Released Step = "released"
)

// Entry is one line of a journal.
type Entry struct {
	Step Step `json:"step"`
	// Resource is whole in a Taking entry, so that a sweep needs the journal
	// and nothing else; otherwise only ID is set.
	Resource *plan.Resource `json:"resource,omitempty"`
	ID       string         `json:"id,omitempty"`
	// Held is what became known in taking it: a process, an interface.
	Held *Held `json:"held,omitempty"`
	// Boot is the kernel's boot identity, in the first entry: what an earlier
	// boot's journal names is gone with that boot.
	Boot string `json:"boot,omitempty"`
}

// Held is what is only known once a resource is taken.
type Held struct {
	PID   int    `json:"pid,omitempty"`   // of a process, as the host sees it
	Start uint64 `json:"start,omitempty"` // its start time, so that a reused pid is not mistaken for it
	Made  bool   `json:"made,omitempty"`  // it was not there before
	JID   int    `json:"jid,omitempty"`   // of a jail
	Note  string `json:"note,omitempty"`
}

// Journal is the list of what one running cell has taken.
//
// It is not synced to the disk: after a power failure nothing that it names
// exists any more.
type Journal struct {
	f    *os.File
	size int64 // up to the end of the last whole line
}

// JournalPath is where a cell's journal is.
func (s *Store) JournalPath(name string) string {
	return filepath.Join(s.RunDir(name), layout.Journal)
}

// OpenJournal opens the journal of a cell for appending, making it when it is
// missing. A torn last line is cut off: what it was going to say had not
// happened yet, and nothing is to be written behind it.
func (s *Store) OpenJournal(name string) (*Journal, error) {
	if err := s.MakeRunDir(name); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(s.JournalPath(name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	j := &Journal{f: f}
	b, err := os.ReadFile(s.JournalPath(name))
	if err == nil {
		if j.size = int64(bytes.LastIndexByte(b, '\n') + 1); j.size < int64(len(b)) {
			err = f.Truncate(j.size)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return j, nil
}

// Clear begins the journal anew. The caller has released all that it names.
func (j *Journal) Clear() error {
	j.size = 0
	return j.f.Truncate(0)
}

// Append writes one entry as one line in one write(2). Of a write that failed
// half-way, as on a full disk, nothing stays.
func (j *Journal) Append(e Entry) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	n, err := j.f.Write(append(b, '\n'))
	if err == nil {
		j.size += int64(n)
	}
	if err != nil {
		_ = j.f.Truncate(j.size)
		return err
	}
	return nil
}

// Close closes the journal and leaves it where it is.
func (j *Journal) Close() error { return j.f.Close() }

// Outstanding is a resource that was taken, or was about to be, and has not
// been released.
type Outstanding struct {
	Resource plan.Resource
	Held     Held
	Sure     bool // Taken was written; otherwise it may or may not be there
}

// ReadJournal lists what a journal says is outstanding, in the order it was
// taken, and the boot it was written in. A torn last line is passed over:
// whatever it was going to say had not happened yet. A journal that is not
// there is empty.
func (s *Store) ReadJournal(name string) (open []Outstanding, boot string, torn bool, err error) {
	b, err := os.ReadFile(s.JournalPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", false, nil
	}
	if err != nil {
		return nil, "", false, err
	}
	return parseJournal(b)
}

func parseJournal(b []byte) (open []Outstanding, boot string, torn bool, err error) {
	for n := 1; len(b) > 0; n++ {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		b = rest
		var e Entry
		if uerr := json.Unmarshal(line, &e); uerr != nil {
			if !whole {
				return open, boot, true, err
			}
			// What stands after it is as true as what stood before: a line that a
			// full disk has cut short must not hide a process.
			if torn = true; err == nil {
				err = fmt.Errorf("cannot read line %d of the journal: %w", n, uerr)
			}
			continue
		}
		if e.Boot != "" {
			boot = e.Boot
		}
		open = e.apply(open)
	}
	return open, boot, torn, err
}

// apply folds one entry into the list of what is outstanding.
func (e Entry) apply(open []Outstanding) []Outstanding {
	id := e.ID
	if e.Resource != nil {
		id = e.Resource.ID
	}
	at := -1
	for i := range open {
		if open[i].Resource.ID == id {
			at = i
		}
	}
	switch {
	case e.Step == Taking && e.Resource != nil && at < 0:
		return append(open, Outstanding{Resource: *e.Resource})
	case e.Step == Begun && at >= 0 && e.Held != nil:
		open[at].Held = *e.Held
	case e.Step == Taken && at >= 0:
		open[at].Sure = true
		if e.Held != nil {
			open[at].Held = *e.Held
		}
	case e.Step == Released && at >= 0:
		return append(open[:at:at], open[at+1:]...)
	}
	return open
}
