package keeper

import (
	"os"
	"slices"
	"strings"

	"skep/internal/plan"
	"skep/internal/process"
	"skep/internal/provision"
	"skep/internal/store"
)

// left is what a keeper that is dead had acquired and not let go of.
type left struct {
	open []store.Outstanding // in the order of acquisition
	boot string              // the boot it was acquired in
	torn bool                // the journal's last line was not whole
	// rebuilt: the journal did not say it, and the plan did.
	rebuilt bool
	// planless: neither did, and what else was acquired than the hypervisor is not known.
	planless bool
}

// leftBy finds out what the dead keeper of a cell had acquired.
//
// That is what the journal says. A journal that somebody has emptied, or a full
// disk has, must not hide what is there: where it does not name the hypervisor
// and one lives that the cell's state knows of, or where it says nothing at all
// and the cell's slot is the cell's still, all that the plan names was acquired.
func leftBy(s *store.Store, name string) (left, error) {
	var l left
	var err error
	l.open, l.boot, l.torn, err = s.ReadJournal(name)
	at := func(id string) int {
		return slices.IndexFunc(l.open, func(o store.Outstanding) bool { return o.Resource.ID == id })
	}
	st, _, serr := s.ReadState(name)
	if serr != nil || st.Boot != process.BootID() || at(provision.HypervisorID) >= 0 && l.boot != "" {
		return l, err
	}
	alive := Alive(st)
	if d, _, derr := s.ReadDetail(name); derr == nil {
		st = d
	}
	var all []plan.Resource
	switch {
	case st.Plan != nil && (alive || l.boot == "" && slotIsOurs(st.Plan)):
		all = inOrder(st.Plan.Resources)
	case alive && st.Plan == nil:
		all, l.planless = append(slotOf(s, name), provision.Bare(s, name)...), true
	default:
		return l, err
	}
	var open []store.Outstanding
	for _, r := range all {
		if i := at(r.ID); i >= 0 {
			open = append(open, l.open[i])
			continue
		}
		o := store.Outstanding{Resource: r, Sure: true}
		switch r.ID {
		case provision.HypervisorID:
			o.Held.PID, o.Held.Start = st.PID, st.PIDStart
		case provision.WorkerID:
			if st.Worker != nil {
				o.Held.PID, o.Held.Start = st.Worker.PID, st.Worker.Start
			}
		case provision.VMID:
			o.Held.Made = true // the name was free when it was acquired, and is the cell's until it is let go
		}
		if i := slices.IndexFunc(st.Services, func(v store.Service) bool { return v.ID == r.ID }); i >= 0 {
			o.Held.PID, o.Held.Start = st.Services[i].PID, st.Services[i].Start
		}
		open = append(open, o)
	}
	l.open, l.boot, l.rebuilt = open, st.Boot, true
	return l, err
}

// slotOf finds the slot of a cell by its file. What else goes by the number,
// such as control groups, is found there by the next cell that gets it.
func slotOf(s *store.Store, name string) []plan.Resource {
	slots, err := s.Slots()
	n, has := slots[name]
	if err != nil || !has {
		return nil
	}
	return []plan.Resource{{ID: "slot", Spec: &plan.Slot{Number: n, Name: name, File: s.SlotFile(n)}}}
}

// slotIsOurs says whether the slot's file still names the cell. A slot is let go
// of last, so as long as it does nothing that goes by its number is anybody
// else's.
func slotIsOurs(p *plan.Plan) bool {
	for _, s := range plan.Specs[*plan.Slot](p) {
		b, err := os.ReadFile(s.File)
		return err == nil && strings.TrimSpace(string(b)) == s.Name
	}
	return false
}

// rewrite has the journal say what was found without it. The boot's line, which
// every journal begins with, comes last: one without it was emptied, or is still
// being rewritten, and is rebuilt.
func (k *Keeper) rewrite(l left) error {
	if !l.rebuilt {
		return nil
	}
	for _, o := range l.open {
		if err := k.life.journal.Append(store.Entry{Step: store.Taking, Resource: &o.Resource}); err != nil {
			return err
		}
		if err := k.life.journal.Append(store.Entry{Step: store.Taken, ID: o.Resource.ID, Held: &o.Held}); err != nil {
			return err
		}
		crashPoint("rewritten", o.Resource.ID)
	}
	return k.life.journal.Append(store.Entry{Boot: l.boot})
}
