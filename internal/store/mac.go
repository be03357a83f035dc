package store

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/layout"
)

// layout.MACs remembers the addresses of a cell's network cards. A guest knows its
// cards by them, so they stay when what they are made from changes.

// MACs are the addresses that a cell's cards had at an earlier start, by label.
// A cell that has run under a skep that remembered none had those that follow
// from the names alone.
func (s *Store) MACs(c *cell.Cell) (map[string]string, error) {
	var macs map[string]string
	err := readJSON(filepath.Join(s.StateDir(c.Name), layout.MACs), &macs)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return macs, err
	}
	if _, err := os.Stat(filepath.Join(s.StateDir(c.Name), layout.ConsoleLog)); err != nil {
		return nil, nil // it has not run yet
	}
	macs = map[string]string{}
	for _, n := range c.NICs {
		macs[n.Label] = n.MAC
	}
	return macs, nil
}

// RememberMACs keeps them for the next start. Cards that the file has no longer
// are kept too: one that is put back is the same card.
func (s *Store) RememberMACs(name string, macs map[string]string) error {
	var was map[string]string
	path := filepath.Join(s.StateDir(name), layout.MACs)
	if err := readJSON(path, &was); err == nil {
		all := maps.Clone(was)
		maps.Copy(all, macs)
		if maps.Equal(all, was) {
			return nil
		}
		macs = all
	}
	if err := s.MakeStateDir(name); err != nil {
		return err
	}
	if err := writeJSON(path, macs, false); err != nil {
		return fault.Wrap(fault.Host, err, "", "remember the addresses of the network cards of %s", name)
	}
	return nil
}
