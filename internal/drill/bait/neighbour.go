//go:build linux || freebsd

package bait

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"skep/guest/hello"
	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/plan"
	"skep/internal/store"
	"skep/internal/unixsock"
)

// A Neighbour is another cell on the same host: an honest one, with the built-in guest in it. It is
// there to be attacked, and to say that it is well.
type Neighbour struct {
	Name    string
	Store   *store.Store
	console net.Conn
	keeper  *keeper.Keeper
	ended   chan error

	Plan []plan.Resource // what it holds, as its journal says
	PID  int
	UID  int
}

// answerWithin is how long it is waited for, at each step.
const answerWithin = 30 * time.Second

// Meet starts it and waits for its greeting.
func Meet(ctx context.Context, name string, facts host.Facts, st *store.Store, disks []cell.Disk) (*Neighbour, error) {
	c := cell.Hello()
	c.Name, c.Disks = name, disks
	n := &Neighbour{Name: name, Store: st, ended: make(chan error, 1)}
	consoles := make(chan net.Conn, 1)
	n.keeper = keeper.New(keeper.Config{Cell: c, Facts: facts, Store: st, Foreground: true,
		Prepared: func(socket string) error {
			conn, err := unixsock.Dial(socket)
			if err == nil {
				select {
				case consoles <- conn:
				default:
					conn.Close()
				}
			}
			return err
		}})
	go func() { _, err := n.keeper.Run(ctx); n.ended <- err }()
	var err error
	select {
	case n.console = <-consoles:
		if err = n.expect(hello.Commands); err == nil {
			err = n.know()
		}
		if err == nil {
			return n, nil
		}
	case err = <-n.ended:
		n.ended <- err
		if err == nil {
			err = errors.New("it ended at once")
		}
	case <-time.After(2 * answerWithin):
		err = errors.New("its guest said nothing in time")
	}
	n.Leave()
	return nil, fmt.Errorf("cannot start the neighbour cell: %w", err)
}

// expect reads until text has come.
func (n *Neighbour) expect(text string) error {
	_ = n.console.SetDeadline(time.Now().Add(answerWithin))
	got, one := "", make([]byte, 1)
	for {
		if _, err := io.ReadFull(n.console, one); err != nil {
			return err
		}
		if got += string(one); len(got) > len(text) {
			got = got[1:]
		}
		if got == text {
			return nil
		}
	}
}

// Answers says whether the guest echoes what is typed.
func (n *Neighbour) Answers() error {
	_ = n.console.SetDeadline(time.Now().Add(answerWithin))
	if _, err := io.WriteString(n.console, "1"); err != nil {
		return err
	}
	return n.expect("1")
}

// know reads what it holds from its journal.
func (n *Neighbour) know() error {
	held, _, _, err := n.Store.ReadJournal(n.Name)
	for _, h := range held {
		n.Plan = append(n.Plan, h.Resource)
		switch spec := h.Resource.Spec.(type) {
		case *plan.Slot:
			n.UID = spec.UID
		case *plan.Hypervisor, *plan.Bhyve:
			n.PID = h.Held.PID
		}
	}
	if err == nil && n.PID == 0 {
		err = errors.New("its journal does not name its process")
	}
	return err
}

func (n *Neighbour) Leave() {
	if n.console != nil {
		n.console.Close()
	}
	n.keeper.Kill("the end of the drill")
	select {
	case <-n.ended:
	case <-time.After(answerWithin):
	}
}
