//go:build linux || freebsd

package drill

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

// A neighbour is another cell on the same host: an honest one, with the built-in guest in it. It is
// there to be attacked, and to say that it is well.
type neighbour struct {
	name    string
	store   *store.Store
	console net.Conn
	keeper  *keeper.Keeper
	ended   chan error

	plan []plan.Resource // what it holds, as its journal says
	pid  int
	uid  int
}

// answerWithin is how long it is waited for, at each step.
const answerWithin = 30 * time.Second

// meetNeighbour starts it and waits for its greeting.
func meetNeighbour(ctx context.Context, name string, facts host.Facts, st *store.Store, disks []cell.Disk) (*neighbour, error) {
	c := cell.Hello()
	c.Name, c.Disks = name, disks
	n := &neighbour{name: name, store: st, ended: make(chan error, 1)}
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
	n.leave()
	return nil, fmt.Errorf("cannot start the neighbour cell: %w", err)
}

// expect reads until text has come.
func (n *neighbour) expect(text string) error {
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

// answers says whether the guest echoes what is typed.
func (n *neighbour) answers() error {
	_ = n.console.SetDeadline(time.Now().Add(answerWithin))
	if _, err := io.WriteString(n.console, "1"); err != nil {
		return err
	}
	return n.expect("1")
}

// know reads what it holds from its journal.
func (n *neighbour) know() error {
	held, _, _, err := n.store.ReadJournal(n.name)
	for _, h := range held {
		n.plan = append(n.plan, h.Resource)
		switch spec := h.Resource.Spec.(type) {
		case *plan.Slot:
			n.uid = spec.UID
		case *plan.Hypervisor, *plan.Bhyve:
			n.pid = h.Held.PID
		}
	}
	if err == nil && n.pid == 0 {
		err = errors.New("its journal does not name its process")
	}
	return err
}

func (n *neighbour) leave() {
	if n.console != nil {
		n.console.Close()
	}
	n.keeper.Kill("the end of the drill")
	select {
	case <-n.ended:
	case <-time.After(answerWithin):
	}
}
