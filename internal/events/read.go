package events

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Reader reads the events of one cell, those that are there and those that come. It keeps no file open.
type Reader struct {
	cell    string
	sources []*source
	find    func() []string // the network's records: one comes with a card
}

// source is one file, which may be exchanged for a new one.
type source struct {
	path, old string
	decode    func(cell string, line []byte) (Event, bool)
	info      os.FileInfo
	at        int64
	last      time.Time // of what was read
	skip      time.Time // what is not newer was read before the file was cut
	begun     bool
}

// NewReader reads the events of a cell: path and old are the two halves of its chain, and network finds the
// records of its networks.
func NewReader(cell, path, old string, network func() []string) *Reader {
	return &Reader{cell: cell, find: network, sources: []*source{{path: path, old: old, decode: decodeEvent}}}
}

// NetworkRecords are the records of networks in a cell's state directory.
func NetworkRecords(dir string) []string {
	found, _ := filepath.Glob(filepath.Join(dir, "network*.jsonl"))
	return found
}

// Next is what has come since the last time, by time.
func (r *Reader) Next() ([]Event, error) {
	for _, path := range r.find() {
		if !slices.ContainsFunc(r.sources, func(s *source) bool { return s.path == path }) {
			r.sources = append(r.sources, &source{path: path, old: path + ".1", decode: decodeNetwork})
		}
	}
	var all []Event
	for _, s := range r.sources {
		some, err := s.next(r.cell)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b Event) int { return a.Time.Compare(b.Time) })
	return all, nil
}

// next reads on. Where the file was turned meanwhile, what is left of it is in the older half.
func (s *source) next(cell string) (all []Event, err error) {
	f, err := os.Open(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case !s.begun:
		all, err = s.from(cell, s.old, 0, nil)
	case !os.SameFile(info, s.info):
		all, err = s.from(cell, s.old, s.at, s.info)
		s.at = 0
	case info.Size() < s.at: // cut in its place
		s.at, s.skip = 0, s.last
	}
	if err != nil {
		return nil, err
	}
	s.begun, s.info = true, info
	more, n, err := s.read(cell, f, s.at)
	s.at += n
	return append(all, more...), err
}

// from reads the older half, where it is the file that was read before.
func (s *source) from(cell, path string, at int64, same os.FileInfo) ([]Event, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); same != nil && (err != nil || !os.SameFile(info, same)) {
		at = 0 // turned more than once
	}
	all, _, err := s.read(cell, f, at)
	return all, err
}

// read reads whole lines.
func (s *source) read(cell string, f *os.File, at int64) (all []Event, n int64, err error) {
	const most = 8 << 20
	b, err := io.ReadAll(io.NewSectionReader(f, at, most))
	if err != nil {
		return nil, 0, err
	}
	for len(b) > 0 {
		end := slices.Index(b, '\n')
		if end < 0 {
			if len(b) == most { // no line is that long
				n += most
			}
			break
		}
		if e, ok := s.decode(cell, b[:end]); ok && e.Time.After(s.skip) {
			s.last = e.Time
			all = append(all, e)
		}
		n += int64(end) + 1
		b = b[end+1:]
	}
	return all, n, nil
}

// decodeEvent is one line of the chain. One that is not whole is left out: the next says so.
func decodeEvent(_ string, line []byte) (Event, bool) {
	var e Event
	if len(line) > maxLine || json.Unmarshal(line, &e) != nil || e.Version == 0 {
		return Event{}, false
	}
	return e, true
}

// decodeNetwork is one line of a network's record. A guest chose much of it.
func decodeNetwork(cell string, line []byte) (Event, bool) {
	var n struct {
		Time time.Time `json:"time"`
	}
	if len(line) > maxLine || json.Unmarshal(line, &n) != nil || n.Time.IsZero() {
		return Event{}, false
	}
	return Event{Version: Version, Time: n.Time.UTC(), Cell: cell, Kind: Network, Network: json.RawMessage(strings.Clone(string(line)))}, true
}
