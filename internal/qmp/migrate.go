package qmp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"skep/internal/hypervisor"
)

// moveWait bounds how long it may take until a guest's state is written or read, movePause how often that is
// looked at.
const (
	moveWait  = 5 * time.Minute
	movePause = time.Millisecond
)

// IgnoreShared has what follows leave out memory that is a file shared with others: of a template it is kept
// as the file that it is, and a clone has it already.
func (q *Client) IgnoreShared(ctx context.Context) error {
	type capability struct {
		Name string `json:"capability"`
		On   bool   `json:"state"`
	}
	return q.Execute(ctx, "migrate-set-capabilities", struct {
		Capabilities []capability `json:"capabilities"`
	}{[]capability{{"x-ignore-shared", true}}}, nil)
}

// SaveTo writes the state of all devices to a pipe. The guest is stopped, and cannot go on afterwards.
func (q *Client) SaveTo(ctx context.Context, w *os.File) error {
	return q.move(ctx, "migrate", "template-state", w)
}

// RestoreFrom reads it from a pipe, in a QEMU that was started to wait for it. One that cannot use what it
// reads ends.
func (q *Client) RestoreFrom(ctx context.Context, r *os.File) error {
	return q.move(ctx, "migrate-incoming", "template-state", r)
}

// ActivateDisks has QEMU take over the disks of a guest whose state it has read. From QEMU 10 on that is put off
// until the guest goes on, when what it takes is not allowed any more; before, it was done with the reading, and
// there was no command for it.
func (q *Client) ActivateDisks(ctx context.Context) error {
	err := q.Execute(ctx, "blockdev-set-active", map[string]bool{"active": true}, nil)
	var said *CommandError
	if errors.As(err, &said) && said.Class == "CommandNotFound" {
		return nil
	}
	return err
}

func (q *Client) move(ctx context.Context, command, name string, f *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, moveWait)
	defer cancel()
	if err := q.GetFD(ctx, name, f); err != nil {
		return err
	}
	if err := q.Execute(ctx, command, map[string]string{"uri": "fd:" + name}, nil); err != nil {
		return err
	}
	for {
		var is struct {
			Status string `json:"status"`
			Why    string `json:"error-desc"`
		}
		if err := q.Execute(ctx, "query-migrate", nil, &is); err != nil {
			return err
		}
		switch is.Status {
		case "completed":
			return nil
		case "failed", "cancelled":
			return fmt.Errorf("QEMU says: %s", hypervisor.Clean(is.Status+" "+is.Why))
		}
		select {
		case <-time.After(movePause):
		case <-ctx.Done():
			return fmt.Errorf("QMP %s: %w", command, ctx.Err())
		}
	}
}
