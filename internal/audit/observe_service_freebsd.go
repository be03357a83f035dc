package audit

import (
	"syscall"

	"skep/internal/jail/freebsdjail"
	"skep/internal/network"
	"skep/internal/plan"
	"skep/internal/process"
	"skep/internal/store"
)

// observeServices reads what is judged of the networks and captures that a state names.
func observeServices(st store.State) map[string]*bsdSeen {
	all := map[string]*bsdSeen{}
	for _, v := range st.Services {
		s := observeWorker(v.PID, v.Start)
		if s == nil {
			continue
		}
		all[v.ID] = s
		if st.Plan == nil {
			continue
		}
		s.Own = map[string]fileID{}
		if r, ok := st.Plan.Find(v.ID); ok {
			for what, path := range serviceFiles(r.Spec) {
				var f syscall.Stat_t
				if syscall.Stat(path, &f) == nil {
					s.Own[what] = fileID{f.Dev, f.Ino}
				}
			}
		}
	}
	return all
}

// observeStack reads what is in the network stack of a cell's own; nil where there is none.
func observeStack(st store.State) *bsdStack {
	if st.Plan == nil {
		return nil
	}
	stacks := plan.Specs[*plan.Stack](st.Plan)
	if len(stacks) == 0 {
		return nil
	}
	p, err := freebsdjail.FindPrison(stacks[0].Jail)
	if err != nil || p.Dying {
		return nil
	}
	s := &bsdStack{}
	if s.Params, err = freebsdjail.Parameters(p.JID); err != nil {
		return s
	}
	inside, err := process.InJail(p.JID)
	if err != nil {
		return s
	}
	for _, in := range inside {
		s.Inside = append(s.Inside, who(in))
	}
	socket := func() (int, error) { return freebsdjail.Socket(p.JID) }
	if s.Interfaces, s.Addresses, err = network.Interfaces(socket); err != nil {
		return s
	}
	s.Links = map[string]network.Link{}
	for _, name := range s.Interfaces {
		if l, there, err := network.LinkIn(name, socket); err == nil && there {
			s.Links[name] = l
		}
	}
	s.Read = true
	return s
}
