package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"skep/internal/fault"
)

// Unfinished is a command that makes one cell of another one, from before it touches anything until it is
// done: what a crash leaves of it is known by this.
type Unfinished struct {
	Version int    `json:"version"`
	Verb    string `json:"verb"` // clone or rename
	From    string `json:"from"`
	To      string `json:"to"`
	// Copies are the files that a clone makes.
	Copies []Copied `json:"copies,omitempty"`
}

// Copied is one copy: it is written under one name and given the other when all of them are whole. By the
// numbers of the file that has that name it is seen to be this one.
type Copied struct {
	Aside string `json:"aside"`
	To    string `json:"to"`
	Dev   uint64 `json:"dev,omitempty"`
	Inode uint64 `json:"inode,omitempty"`
}

// Unfinished is what was begun and not done to make a cell of that name; nil where nothing was.
func (s *Store) Unfinished(to string) (*Unfinished, error) {
	u := &Unfinished{}
	err := readJSON(s.dirs.Unfinished(to), u)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && u.To != to {
		err = errors.New("it is about another cell")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "read what was begun with %s", to)
	}
	return u, nil
}

// Begin writes down what is begun, or more of it.
func (s *Store) Begin(u *Unfinished) error {
	path := s.dirs.Unfinished(u.To)
	u.Version = 1
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = writeJSON(path, u, true)
	}
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "write down what is begun with %s", u.To)
	}
	return nil
}

// Done removes what is written down.
func (s *Store) Done(u *Unfinished) error {
	path := s.dirs.Unfinished(u.To)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Host, err, "remove it by hand", "remove %s", path)
	}
	_ = os.Remove(filepath.Dir(path)) // while another one is under way it stays
	return nil
}

// BegunOf are those that make something of a cell, or would make it.
func (s *Store) BegunOf(name string) *Unfinished {
	entries, _ := os.ReadDir(filepath.Dir(s.dirs.Unfinished(name)))
	for _, e := range entries {
		u := &Unfinished{}
		if readJSON(filepath.Join(filepath.Dir(s.dirs.Unfinished(name)), e.Name()), u) == nil && (u.From == name || u.To == name) {
			return u
		}
	}
	return nil
}
