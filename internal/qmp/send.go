package qmp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"skep/internal/hypervisor"
)

// Execute runs one command and decodes what it returns into result, unless
// that is nil. Strings in result are QEMU's: see clean.
func (q *Client) Execute(ctx context.Context, command string, args, result any) error {
	return q.execute(ctx, command, args, result, nil)
}

func (q *Client) execute(ctx context.Context, command string, args, result any, pass *os.File) error {
	ctx, cancel := withPatience(ctx)
	defer cancel()
	q.mu.Lock()
	q.lastID++
	id := q.lastID
	reply := make(chan message, 1)
	q.waiting[id] = reply
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		delete(q.waiting, id)
		q.mu.Unlock()
	}()

	line, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
		ID        uint64 `json:"id"`
	}{command, args, id})
	if err != nil {
		return fmt.Errorf("QMP %s: %w", command, err)
	}
	if err := q.send(ctx, append(line, '\n'), pass); err != nil {
		return fmt.Errorf("QMP %s: %w", command, err)
	}
	select {
	case m := <-reply:
		if m.Error != nil {
			return &CommandError{command, hypervisor.Clean(m.Error.Class), hypervisor.Clean(m.Error.Desc)}
		}
		if m.Return == nil {
			return fmt.Errorf("QMP %s: %w: neither return nor error", command, errHostile)
		}
		if result == nil {
			return nil
		}
		if err := json.Unmarshal(m.Return, result); err != nil {
			return fmt.Errorf("QMP %s: %w: %s", command, errHostile, hypervisor.Clean(err.Error()))
		}
		return nil
	case <-q.done:
		return fmt.Errorf("QMP %s: %w", command, q.Err())
	case <-ctx.Done():
		return fmt.Errorf("QMP %s: no answer: %w", command, ctx.Err())
	}
}

// send writes one line, with a descriptor alongside where pass is not nil. A
// line that went out in part would spoil all that follow, so then the
// connection ends.
func (q *Client) send(ctx context.Context, line []byte, pass *os.File) error {
	q.write.Lock()
	defer q.write.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if d, ok := ctx.Deadline(); ok {
		_ = q.conn.SetWriteDeadline(d)
	}
	var n int
	var err error
	if pass == nil {
		n, err = q.conn.Write(line)
	} else {
		n, err = sendWithFile(q.conn, line, pass)
	}
	if err == nil && n < len(line) {
		err = errors.New("short write")
	}
	if err != nil && n > 0 {
		q.conn.Close()
	}
	return err
}

// fileSender is a connection that is no *net.UnixConn and can send a descriptor with the first byte.
type fileSender interface {
	WriteWithFile(line []byte, f *os.File) (int, error)
}

// sendWithFile sends a file's descriptor with the first byte of a line.
func sendWithFile(conn net.Conn, line []byte, f *os.File) (int, error) {
	if s, ok := conn.(fileSender); ok {
		return s.WriteWithFile(line, f)
	}
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, fmt.Errorf("descriptors need a UNIX socket, not %T", conn)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	// Control, unlike Fd, leaves the file in non-blocking mode.
	var n int
	var sendErr error
	err = raw.Control(func(fd uintptr) {
		n, _, sendErr = u.WriteMsgUnix(line, syscall.UnixRights(int(fd)), nil)
	})
	return n, errors.Join(err, sendErr)
}
