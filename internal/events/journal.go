package events

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// MaxFile bounds a file of a cell's events. There are two of them, the older and the newer.
const MaxFile = 2 << 20

// Journal is the events of one cell, as its keeper writes them.
type Journal struct {
	cell, run string
	path, old string

	mu    sync.Mutex
	f     *os.File
	size  int64
	seq   uint64
	prev  string
	max   int64
	taken func(line []byte) // is told of each line
}

// OpenJournal opens the events of a cell to write on. old is where the older half goes. A last line that is
// not whole stays as it is, and the next one says so.
func OpenJournal(path, old, cell, run string, told func(line []byte)) (*Journal, error) {
	j := &Journal{cell: cell, run: run, path: path, old: old, max: MaxFile, taken: told}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	j.f = f
	torn, err := j.last()
	if err != nil {
		f.Close()
		return nil, err
	}
	if torn {
		if _, err := f.Write([]byte("\n")); err != nil {
			f.Close()
			return nil, err
		}
		j.size++
		return j, j.Append(Event{Kind: Torn, Reason: "the line before is not whole: its keeper died while it wrote"})
	}
	return j, nil
}

// last finds where the chain goes on.
func (j *Journal) last() (torn bool, err error) {
	info, err := j.f.Stat()
	if err != nil {
		return false, err
	}
	j.size = info.Size()
	from := max(j.size-2*maxLine, 0)
	b, err := io.ReadAll(io.NewSectionReader(j.f, from, j.size-from))
	if err != nil {
		return false, err
	}
	if len(b) == 0 {
		return false, j.fromOld()
	}
	torn = b[len(b)-1] != '\n'
	lines := bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
	j.prev = Sum(lines[len(lines)-1])
	for i := len(lines) - 1; i >= 0; i-- {
		var e Event
		if json.Unmarshal(lines[i], &e) == nil && e.Seq > 0 {
			j.seq = e.Seq + uint64(len(lines)-1-i)
			break
		}
	}
	return torn, nil
}

// fromOld goes on from the older half, where a keeper died between two files.
func (j *Journal) fromOld() error {
	f, err := os.Open(j.old)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return Lines(f, func(line []byte) error {
		j.prev = Sum(line)
		var e Event
		if json.Unmarshal(line, &e) == nil {
			j.seq = max(j.seq, e.Seq)
		}
		return nil
	})
}

// Sum is what the line after a line holds of it.
func Sum(line []byte) string {
	s := sha256.Sum256(line)
	return hex.EncodeToString(s[:])
}

// Append writes an event. Its number, time, cell and chain are filled in.
func (j *Journal) Append(e Event) error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == nil {
		return os.ErrClosed
	}
	if j.size >= j.max {
		if err := j.turn(); err != nil {
			return err
		}
	}
	return j.write(e)
}

func (j *Journal) write(e Event) error {
	e.Version, e.Seq, e.Cell, e.Prev = Version, j.seq+1, j.cell, j.prev
	if e.Run == "" {
		e.Run = j.run
	}
	if e.Time.IsZero() {
		e.Time = time.Now().UTC()
	}
	e.Reason, e.Who, e.File = clip(e.Reason), clip(e.Who), clip(e.File)
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	n, err := j.f.Write(append(line, '\n'))
	j.size += int64(n)
	if err != nil {
		// What is half there is a line of its own: the next one begins on a new one.
		if n > 0 {
			if k, err := j.f.Write([]byte("\n")); err == nil {
				j.size += int64(k)
				j.seq++
				j.prev = Sum(line[:n])
			}
		}
		return fmt.Errorf("write events: %w", err)
	}
	j.seq++
	j.prev = Sum(line)
	if j.taken != nil {
		j.taken(line)
	}
	return nil
}

// turn makes the file the older half, and begins another.
func (j *Journal) turn() error {
	if err := os.Rename(j.path, j.old); err != nil {
		return err
	}
	f, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	j.f.Close()
	j.f, j.size = f, 0
	return j.write(Event{Kind: Cut, Reason: fmt.Sprintf("what is older than about %d bytes is not kept", 2*j.max)})
}

// Close ends the writing.
func (j *Journal) Close() error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == nil {
		return nil
	}
	err := j.f.Close()
	j.f = nil
	return err
}

// Lines reads lines up to a bound each; one that is longer is an error.
func Lines(r io.Reader, each func(line []byte) error) error {
	in := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := in.ReadSlice('\n')
		if len(line) > 0 && !errors.Is(err, bufio.ErrBufferFull) {
			if err := each(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// BrokenError is a chain that does not hold.
type BrokenError struct {
	Line int // the first that does not fit the one before it, from 1
	Why  string
}

func (b *BrokenError) Error() string { return fmt.Sprintf("line %d: %s", b.Line, b.Why) }

// Verify follows a chain. first is what its first line has to hold of the line before it, where that is
// known; last is the sum of its last line.
func Verify(r io.Reader, first string) (last string, lines int, err error) {
	prev, torn := first, false
	err = Lines(r, func(line []byte) error {
		lines++
		var e Event
		bad := json.Unmarshal(line, &e) != nil || e.Version == 0
		switch {
		case torn && (bad || e.Kind != Torn):
			return &BrokenError{lines - 1, "is no event"}
		case bad:
			torn = true
		case lines == 1 && first == "":
		case e.Prev != prev:
			return &BrokenError{lines - 1, fmt.Sprintf("is not the line that line %d follows", lines)}
		}
		if !bad {
			torn = false
		}
		prev = Sum(line)
		return nil
	})
	if err == nil && torn {
		err = &BrokenError{lines, "is no event"}
	}
	return prev, lines, err
}
