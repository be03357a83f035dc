package keeper

import (
	"slices"

	"skep/internal/store"
)

// outstanding is what the keeper of a cell that is dead had taken and not let go
// of, in the order it was taken, and the boot it was taken in.
//
// That is what the journal says. A journal that somebody has emptied, or a full
// disk has, must not hide a hypervisor that lives: as long as one does that the
// cell's state knows of, all that its plan names is still taken.
func outstanding(s *store.Store, name string) (open []store.Outstanding, boot string, torn bool, err error) {
	open, boot, torn, err = s.ReadJournal(name)
	st, _, serr := s.ReadDetail(name)
	if serr != nil || st.Plan == nil || !Alive(st) {
		return open, boot, torn, err
	}
	at := func(id string) int {
		return slices.IndexFunc(open, func(o store.Outstanding) bool { return o.Resource.ID == id })
	}
	if at(hypervisorID) >= 0 {
		return open, boot, torn, err
	}
	var all []store.Outstanding
	for _, r := range controlFirst(st.Plan.Resources) {
		if i := at(r.ID); i >= 0 {
			all = append(all, open[i])
			continue
		}
		o := store.Outstanding{Resource: r, Sure: true}
		switch r.ID {
		case hypervisorID:
			o.Held.PID, o.Held.Start = st.PID, st.PIDStart
		case vmID:
			o.Held.Made = true // it is the one that this hypervisor runs
		}
		all = append(all, o)
	}
	return all, st.Boot, torn, err
}

// The IDs of two resources of a plan, as package plan names them.
const (
	hypervisorID = "hypervisor"
	vmID         = "vm"
)
