package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// SlotFile is the file that stands for a slot.
func (s *Store) SlotFile(n int) string {
	return s.slotPath(strconv.Itoa(n))
}

func (s *Store) slotPath(name string) string { return filepath.Join(s.dirs.Slots(), name) }

func (s *Store) slotFiles() ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(s.dirs.Slots())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

// WithSlots calls f with the slots that are taken, under the lock that keeps
// everybody else from taking one meanwhile. Whose they are is not read: with
// hundreds of cells that would be the longest of what is done under the lock.
func (s *Store) WithSlots(f func(taken map[string]int) error) error {
	l, err := s.lockSlots()
	if err != nil {
		return err
	}
	defer l.Unlock()
	entries, err := s.slotFiles()
	if err != nil {
		return err
	}
	taken := make(map[string]int, len(entries))
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			taken["#"+e.Name()] = n
		}
	}
	return f(taken)
}

// Slots lists the slots that are taken: cell name to number.
func (s *Store) Slots() (map[string]int, error) {
	entries, err := s.slotFiles()
	if err != nil || entries == nil {
		return nil, err
	}
	taken := map[string]int{}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile(s.slotPath(e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // released meanwhile
		}
		if err != nil {
			return nil, err
		}
		name := strings.TrimSpace(string(b))
		if name == "" {
			// Made and not yet written when its maker died: nobody's, and not
			// to be given out until a sweep has removed it.
			name = "#" + e.Name()
		}
		taken[name] = n
	}
	return taken, nil
}
