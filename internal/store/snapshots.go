package store

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"skep/internal/fault"
	"skep/internal/layout"
)

// Snapshot is what is known of one snapshot of a cell.
type Snapshot struct {
	Tag    string    `json:"tag"`
	Time   time.Time `json:"time"`
	Memory bool      `json:"memory,omitempty"` // of a guest that ran
	Disks  []string  `json:"disks"`
	// Board says which hypervisor, devices and bases the memory belongs to.
	Board string `json:"board,omitempty"`
}

// Snapshots are those of a cell. Making and Reverting are tags of what was begun and may not have been
// finished: the first is undone, the second has to be done again.
type Snapshots struct {
	Version   int        `json:"version"`
	All       []Snapshot `json:"snapshots"`
	Making    string     `json:"making,omitempty"`
	Reverting string     `json:"reverting,omitempty"`
}

// Find is the snapshot of a tag.
func (s *Snapshots) Find(tag string) (Snapshot, bool) {
	for _, one := range s.All {
		if one.Tag == tag {
			return one, true
		}
	}
	return Snapshot{}, false
}

// Snapshots reads them; a cell that has none has an empty list.
func (s *Store) Snapshots(name string) (*Snapshots, error) {
	all := &Snapshots{Version: 1}
	err := readJSON(filepath.Join(s.StateDir(name), layout.Snapshots), all)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.Host, err, "", "read the snapshots of %s", name)
	}
	return all, nil
}

// WriteSnapshots keeps them.
func (s *Store) WriteSnapshots(name string, all *Snapshots) error {
	if err := s.MakeStateDir(name); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(s.StateDir(name), layout.Snapshots), all, true); err != nil {
		return fault.Wrap(fault.Host, err, "", "write the snapshots of %s", name)
	}
	return nil
}

// LockSnapshots waits until nobody else is at a cell's snapshots.
func (s *Store) LockSnapshots(name string) (*Lock, error) {
	l, err := lock(s.dirs.SnapshotLock(name), syscall.LOCK_EX)
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "lock the snapshots of %s", name)
	}
	l.remove = true
	return l, nil
}
