package qmp

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// ChangeMedium puts a file, which is only read, into the drive of that number, or leaves it empty where f is nil.
// What is in it goes, whether or not the guest has locked the tray. opaque is what the sets of descriptors of that
// drive are called by.
func (q *Client) ChangeMedium(ctx context.Context, disk int, opaque string, f *os.File) error {
	node := fmt.Sprintf("disk%d", disk)
	device := struct {
		ID string `json:"id"`
	}{node + "-dev"}
	set := struct {
		ID uint32 `json:"fdset-id"` // a number, so that no text of QEMU's is sent back
	}{}
	if f != nil {
		if err := q.execute(ctx, "add-fd", map[string]string{"opaque": opaque}, &set, f); err != nil {
			return err
		}
	}
	if err := q.Execute(ctx, "blockdev-open-tray", map[string]any{"id": device.ID, "force": true}, nil); err != nil {
		return err
	}
	if err := q.Execute(ctx, "blockdev-remove-medium", device, nil); err != nil {
		return err
	}
	err := q.Execute(ctx, "blockdev-del", map[string]string{"node-name": node}, nil)
	if err != nil && !strings.Contains(err.Error(), "ailed to find node") { // the drive was empty
		return err
	}
	if err := q.forgetSets(ctx, opaque, func(id uint32) bool { return f != nil && id == set.ID }); err != nil {
		return err
	}
	if f != nil {
		if err := q.Execute(ctx, "blockdev-add", map[string]any{
			"driver": "file", "node-name": node, "filename": fmt.Sprintf("/dev/fdset/%d", set.ID), "read-only": true,
			"auto-read-only": false, "locking": "off", "aio": "threads", "cache": map[string]bool{"direct": false, "no-flush": false},
		}, nil); err != nil {
			return err
		}
		if err := q.Execute(ctx, "blockdev-insert-medium", map[string]string{"id": device.ID, "node-name": node}, nil); err != nil {
			return err
		}
	}
	return q.Execute(ctx, "blockdev-close-tray", device, nil)
}

// forgetSets removes the sets of descriptors that are called so, but for those that stay.
func (q *Client) forgetSets(ctx context.Context, opaque string, stays func(id uint32) bool) error {
	var sets []struct {
		ID  uint32 `json:"fdset-id"`
		FDs []struct {
			Opaque string `json:"opaque"`
		} `json:"fds"`
	}
	if err := q.Execute(ctx, "query-fdsets", nil, &sets); err != nil {
		return err
	}
	for _, s := range sets {
		if len(s.FDs) == 0 || s.FDs[0].Opaque != opaque || stays(s.ID) {
			continue
		}
		if err := q.Execute(ctx, "remove-fd", map[string]uint32{"fdset-id": s.ID}, nil); err != nil {
			return err
		}
	}
	return nil
}
