package keeper

import (
	"errors"

	"skep/internal/disk"
	"skep/internal/store"
)

// NameHolders has an error about an image in use say which cell it is that has
// it, where it is one that the store knows.
func NameHolders(s *store.Store, err error) {
	var used *disk.InUse
	if !errors.As(err, &used) || len(used.Holders) == 0 {
		return
	}
	names, lerr := s.RunNames()
	if lerr != nil {
		return
	}
	for _, name := range names {
		st, _, serr := s.ReadState(name)
		if serr != nil {
			continue
		}
		for i, h := range used.Holders {
			if h.PID != 0 && (h.PID == st.PID || h.PID == st.KeeperPID) {
				used.Holders[i] = disk.Holder{Name: "the cell " + name}
			}
		}
	}
}
