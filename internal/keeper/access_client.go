package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"syscall"

	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/store"
	"skep/internal/unixsock"
)

// DialOthers connects to the keeper of a cell by the socket for other users. It is root's keeper that listens there:
// anybody else could show what they like.
func DialOthers(dirs host.Dirs, name string) (*Client, error) {
	conn, err := unixsock.Dial(dirs.AccessSocket(name))
	if err != nil {
		return nil, err
	}
	if uid, ok := unixsock.PeerUser(conn); !ok || uid != 0 && uid != os.Geteuid() {
		conn.Close()
		return nil, fault.Cannot(fault.Host, "", "reach", name, "who listens on its socket is not root")
	}
	return &Client{conn: conn, in: json.NewDecoder(io.LimitReader(conn, maxResponse)), PID: unixsock.Peer(conn)}, nil
}

// Seen is what somebody who is given access is told of a cell, and what they may do with it.
type Seen struct {
	May   []string
	State store.State
}

// State asks for the short state, and with all for the whole.
func (c *Client) State(ctx context.Context, all bool) (s Seen, err error) {
	do := doState
	if all {
		do = doShow
	}
	b, err := c.ask(ctx, request{Do: do})
	if err != nil {
		return s, err
	}
	var v Visible
	if err := json.Unmarshal(b, &v); err != nil {
		return s, err
	}
	s.May = v.May
	return s, json.Unmarshal(v.State, &s.State)
}

// Log is a descriptor of a log: of the console's with "", of where its starts are with "starts", of the hypervisor's
// with "hypervisor". The client's connection ends with the keeper.
func (c *Client) Log(ctx context.Context, of string) (*os.File, error) {
	return c.file(ctx, request{Do: doLog, Name: of})
}

// Console is a connection to the console, for as long as the client is not closed.
func (c *Client) Console(ctx context.Context) (*os.File, error) {
	return c.file(ctx, request{Do: doConsole})
}

// Gone waits until the keeper hangs up.
func (c *Client) Gone() { _, _ = c.conn.Read(make([]byte, 1)) }

// file makes a request that is answered with a descriptor.
func (c *Client) file(ctx context.Context, asked request) (*os.File, error) {
	stop := context.AfterFunc(ctx, func() { c.conn.Close() })
	defer stop()
	b, _ := json.Marshal(asked)
	if _, err := c.conn.Write(append(b, '\n')); err != nil && !errors.Is(err, syscall.EPIPE) {
		return nil, err
	}
	line, file, err := receive(c.conn)
	if err != nil {
		return nil, err
	}
	var r response
	if err := json.Unmarshal(line, &r); err != nil || !r.OK || file == nil {
		if file != nil {
			file.Close()
		}
		if err == nil && !r.OK {
			err = r.Wire.Err()
		} else if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return file, nil
}
