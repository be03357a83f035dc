package qmp

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"skep/internal/hypervisor"
)

// Status is what query-status says.
type Status struct {
	Running bool                `json:"running"`
	State   hypervisor.RunState `json:"status"`
}

// QueryStatus asks what the guest is doing.
func (q *Client) QueryStatus(ctx context.Context) (Status, error) {
	var s Status
	err := q.Execute(ctx, "query-status", nil, &s)
	s.State = hypervisor.RunState(hypervisor.Clean(string(s.State)))
	return s, err
}

// Cont lets the guest run.
func (q *Client) Cont(ctx context.Context) error { return q.Execute(ctx, "cont", nil, nil) }

// Stop pauses the guest.
func (q *Client) Stop(ctx context.Context) error { return q.Execute(ctx, "stop", nil, nil) }

// BlockSize is the size of the disk that a node is.
func (q *Client) BlockSize(ctx context.Context, node string) (int64, error) {
	var rows []struct {
		Inserted struct {
			Node  string `json:"node-name"`
			Image struct {
				Size int64 `json:"virtual-size"`
			} `json:"image"`
		} `json:"inserted"`
	}
	if err := q.Execute(ctx, "query-block", nil, &rows); err != nil {
		return 0, err
	}
	for _, r := range rows {
		if r.Inserted.Node == node {
			return r.Inserted.Image.Size, nil
		}
	}
	return 0, fmt.Errorf("QEMU has no node %s", node)
}

// BlockResize makes what a node is of, and with it the guest's disk, that large.
func (q *Client) BlockResize(ctx context.Context, node string, size int64) error {
	return q.Execute(ctx, "block_resize", struct {
		Node string `json:"node-name"`
		Size int64  `json:"size"`
	}{node, size}, nil)
}

// SystemPowerdown presses the ACPI power button.
func (q *Client) SystemPowerdown(ctx context.Context) error {
	return q.Execute(ctx, "system_powerdown", nil, nil)
}

// Quit ends QEMU. That QEMU is gone before it answered is no error.
func (q *Client) Quit(ctx context.Context) error {
	err := q.Execute(ctx, "quit", nil, nil)
	select {
	case <-q.done:
		return nil
	default:
		return err
	}
}

// Reset resets the guest and leaves it waiting for Cont, whatever state it was
// in.
//
// `-action reboot=shutdown` turns *every* reset into a shutdown, QMP's own
// included, so it is lifted for this one. QEMU decides which it is when the
// reset is asked for and acts on it later, so the order is safe.
func (q *Client) Reset(ctx context.Context) error {
	ctx, cancel := withPatience(ctx)
	defer cancel()
	type action struct {
		Reboot string `json:"reboot"`
	}
	for _, step := range []struct {
		command string
		args    any
	}{
		{"stop", nil}, // a running guest would run on after the reset
		{"set-action", action{"reset"}},
		{"system_reset", nil},
		{"set-action", action{"shutdown"}},
	} {
		if err := q.Execute(ctx, step.command, step.args, nil); err != nil {
			return err
		}
	}
	// Until the reset has happened, cont is refused.
	for {
		s, err := q.QueryStatus(ctx)
		if err != nil || s.State == hypervisor.StatePrelaunch {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("QMP system_reset: the guest is still %q: %w", s.State, ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
}

// GetFD hands a descriptor to QEMU under a name. The caller keeps its own.
func (q *Client) GetFD(ctx context.Context, name string, f *os.File) error {
	return q.execute(ctx, "getfd", map[string]string{"fdname": name}, nil, f)
}

// AddVNC makes the other end of a connected socket a VNC viewer of the screen.
// With trusted the viewer is not asked for the password: that is for our own
// screenshots.
func (q *Client) AddVNC(ctx context.Context, conn *os.File, trusted bool) error {
	const name = "viewer" // add_client takes the name away again
	q.vnc.Lock()
	defer q.vnc.Unlock()
	if err := q.GetFD(ctx, name, conn); err != nil {
		return err
	}
	return q.Execute(ctx, "add_client", struct {
		Protocol string `json:"protocol"`
		FDName   string `json:"fdname"`
		SkipAuth bool   `json:"skipauth"`
	}{"vnc", name, trusted}, nil)
}

// SetVNCPassword sets the password of the screen. VNC looks at its first
// eight bytes only.
func (q *Client) SetVNCPassword(ctx context.Context, password string) error {
	return q.Execute(ctx, "set_password", map[string]string{"protocol": "vnc", "password": password}, nil)
}

// Screendump writes the screen as PPM to a file. It must be a regular file
// opened O_WRONLY, which QEMU truncates; a pipe will not do. (QEMU 7.2's PNG
// has red and blue the wrong way round.)
func (q *Client) Screendump(ctx context.Context, w *os.File) error {
	var set struct {
		ID uint32 `json:"fdset-id"` // a number, so that no text of QEMU's is sent back
	}
	if err := q.execute(ctx, "add-fd", struct{}{}, &set, w); err != nil {
		return err
	}
	dump := q.Execute(ctx, "screendump", map[string]string{
		"filename": fmt.Sprintf("/dev/fdset/%d", set.ID), "format": "ppm"}, nil)
	remove := q.Execute(ctx, "remove-fd", map[string]uint32{"fdset-id": set.ID}, nil)
	if dump != nil {
		return dump
	}
	return remove
}

// LastIOError is what is still known of the error that a guest waits for: which
// disk it is, and whether the host's disk is full.
func (q *Client) LastIOError(ctx context.Context) hypervisor.Event {
	ev := hypervisor.Event{Kind: hypervisor.EventIOError, Stopped: true}
	var rows []struct {
		Status   string `json:"io-status"`
		Inserted struct {
			Node string `json:"node-name"`
		} `json:"inserted"`
	}
	if err := q.Execute(ctx, "query-block", nil, &rows); err != nil {
		return ev
	}
	for _, r := range rows {
		if r.Status == "nospace" || r.Status == "failed" {
			ev.Node, ev.NoSpace = hypervisor.Clean(r.Inserted.Node), r.Status == "nospace"
		}
	}
	return ev
}

// DiskStats counts what the guest did to one of its disks.
type DiskStats struct {
	Node          string // as in QEMUOptions: "disk0" is the cell's first
	Reads, Writes uint64
}

// QueryDisks counts what the guest did to its disks; firmware and its
// variables are not among them.
func (q *Client) QueryDisks(ctx context.Context) ([]DiskStats, error) {
	var rows []struct {
		Node  string `json:"node-name"`
		Stats struct {
			Reads  uint64 `json:"rd_operations"`
			Writes uint64 `json:"wr_operations"`
			Unmaps uint64 `json:"unmap_operations"`
		} `json:"stats"`
	}
	if err := q.Execute(ctx, "query-blockstats", nil, &rows); err != nil {
		return nil, err
	}
	var disks []DiskStats
	for _, r := range rows {
		if strings.HasPrefix(r.Node, "disk") {
			disks = append(disks, DiskStats{hypervisor.Clean(r.Node), r.Stats.Reads, r.Stats.Writes + r.Stats.Unmaps})
		}
	}
	return disks, nil
}

// Written says whether the guest has changed any of its disks, which is when
// it can no longer be started over as if nothing had been.
func (q *Client) Written(ctx context.Context) (bool, error) {
	disks, err := q.QueryDisks(ctx)
	for _, d := range disks {
		if d.Writes > 0 {
			return true, err
		}
	}
	return false, err
}
