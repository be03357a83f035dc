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
	return filepath.Join(s.dirs.Run, "slots", strconv.Itoa(n))
}

// WithSlots calls f with the slots that are taken, under the lock that keeps
// everybody else from taking one meanwhile.
func (s *Store) WithSlots(f func(taken map[string]int) error) error {
	l, err := s.lockSlots()
	if err != nil {
		return err
	}
	defer l.Unlock()
	taken, err := s.Slots()
	if err != nil {
		return err
	}
	return f(taken)
}

// Slots lists the slots that are taken: cell name to number.
func (s *Store) Slots() (map[string]int, error) {
	dir := filepath.Join(s.dirs.Run, "slots")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	taken := map[string]int{}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
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
