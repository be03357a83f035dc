package main

import (
	"context"
	"io"
	"net"
	"os"
	"time"

	"skep/guest/hello"
	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/probe"
	"skep/internal/store"
	"skep/internal/unixsock"
)

// inside starts a cell in this process, where the host is known already and no program has to be
// loaded: what is left is the plan, its resources, the jail, QEMU and the guest.
type inside struct {
	cell  *cell.Cell
	facts host.Facts
	store *store.Store
}

func newInside(file string) (*inside, error) {
	facts, err := probe.Probe(context.Background(), probe.Options{})
	if err != nil {
		return nil, err
	}
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	c, diags := cell.Parse(file, src)
	if len(diags) > 0 {
		return nil, diags
	}
	if err := host.Ready(c, facts); err != nil {
		return nil, err
	}
	st, err := store.Open(facts.Dirs)
	return &inside{c, facts, st}, err
}

func (i *inside) greeting(ctx context.Context) (time.Duration, error) {
	var begin time.Time
	type result struct {
		took time.Duration
		err  error
	}
	done := make(chan result, 1)
	k := keeper.New(keeper.Config{Cell: i.cell, Facts: i.facts, Store: i.store, Foreground: true,
		Prepared: func(socket string) error {
			conn, err := unixsock.Dial(socket)
			if err != nil {
				return err
			}
			go func() {
				defer conn.Close()
				took, err := firstByte(conn, begin)
				done <- result{took, err}
				powerOff(conn)
			}()
			return nil
		}})
	begin = time.Now()
	if _, err := k.Run(ctx); err != nil {
		return 0, err
	}
	select {
	case r := <-done:
		return r.took, r.err
	default:
		return 0, io.ErrUnexpectedEOF
	}
}

func powerOff(conn net.Conn) {
	_, _ = io.WriteString(conn, string(hello.PowerOff))
	_, _ = io.Copy(io.Discard, conn)
}
