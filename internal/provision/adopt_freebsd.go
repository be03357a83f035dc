package provision

import (
	"context"
	"errors"
	"syscall"

	"skep/internal/jail/freebsdjail"
	"skep/internal/plan"
	"skep/internal/process"
	"skep/internal/store"
)

// Adopt takes over a bhyve that runs on without its keeper. Its end of the null
// modem is open still, so ours can be opened again; its exit status is seen by
// whoever watches, parent or not. What the guest said meanwhile is lost but for
// what the null modem holds.
func (t *bsdProvisioner) Adopt(ctx context.Context, open []store.Outstanding, st store.State) error {
	m := &bhyveMachine{provisioner: t, queue: make(chan Event, 4), emptied: true, counts: st.Reach}
	if st.Jail != nil {
		m.rec = *st.Jail
	}
	var errs [6]error
	m.spec, errs[0] = one[*plan.Bhyve](t.plan)
	m.prison, errs[1] = one[*plan.Prison](t.plan)
	m.tree, errs[2] = one[*plan.JailRootfs](t.plan)
	m.dev, errs[3] = one[*plan.DevMount](t.plan)
	m.modem, errs[4] = one[*plan.Modem](t.plan)
	errs[5] = m.findLog()
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	p, found, err := ours(m.prison)
	if err != nil || !found || p.Dying {
		return errors.Join(err, errors.New("its jail is gone"))
	}
	t.jid = p.JID
	if m.child, err = freebsdjail.AdoptChild(st.PID, st.PIDStart); err != nil {
		return err
	}
	t.bhyve = m
	spec, planned := t.planWorker()
	if spec == nil {
		return errors.New("the plan has no directory")
	}
	if !planned {
		t.unplanned = spec
	}
	for _, o := range open {
		if o.Resource.ID == WorkerID && o.Held.PID != 0 && process.Lives(o.Held.PID, o.Held.Start) {
			_ = syscall.Kill(o.Held.PID, syscall.SIGKILL) // it has the console still, if it has not heard of its keeper's death
		}
	}
	t.workers = startWorkers(spec, beginWorker(spec, nil))
	if err := adoptRest(t, open); err != nil {
		return err
	}
	if err := m.haveWorker(ctx); err != nil {
		return err
	}
	if st.Suspended != "" {
		_, err = m.Pause(context.Background())
	} else {
		err = m.Unpause(context.Background()) // should the dead keeper have paused it for somebody
	}
	if err := errors.Join(err, m.join(ctx)); err != nil {
		return err
	}
	m.settled.Store(true)
	m.keepWorker()
	go m.follow(m.child)
	return nil
}

// adoptSocket listens again; the control socket is the keeper's own.
func (t *bsdProvisioner) adoptSocket(s *plan.Socket) error {
	if s.Name == ControlSocket {
		return nil
	}
	if err := removeFile(s.Path); err != nil {
		return err
	}
	return t.acquireSocket(s)
}

func (t *bsdProvisioner) adoptRelay(s *plan.Relay) error {
	if s.Path != "" {
		if err := removeFile(s.Path); err != nil {
			return err
		}
	}
	return t.acquireRelay(s)
}
