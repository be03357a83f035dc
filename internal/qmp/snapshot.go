package qmp

import (
	"context"
	"fmt"
	"time"

	"skep/internal/hypervisor"
)

// jobPause is how often a job is looked at, jobWait how long it may take.
const (
	jobPause = 20 * time.Millisecond
	jobWait  = 10 * time.Minute
)

// Snapshot saves disks and memory, goes back to them or removes them, on all of the nodes or on none: do is
// the command, snapshot-save, snapshot-load or snapshot-delete. The memory goes into the first node. The
// guest stands still meanwhile and afterwards does what it did before.
func (q *Client) Snapshot(ctx context.Context, do, tag string, nodes []string) error {
	ctx, cancel := context.WithTimeout(ctx, jobWait)
	defer cancel()
	id := fmt.Sprintf("%s-%d", do, time.Now().UnixNano())
	args := map[string]any{"job-id": id, "tag": tag, "devices": nodes}
	if do != "snapshot-delete" {
		args["vmstate"] = nodes[0]
	}
	if err := q.Execute(ctx, do, args, nil); err != nil {
		return err
	}
	for {
		var jobs []struct {
			ID     string `json:"id"`
			Status string `json:"status"`
			Error  string `json:"error"`
		}
		if err := q.Execute(ctx, "query-jobs", nil, &jobs); err != nil {
			return err
		}
		for _, j := range jobs {
			if j.ID != id || j.Status != "concluded" {
				continue
			}
			if err := q.Execute(ctx, "job-dismiss", map[string]any{"id": id}, nil); err != nil {
				return err
			}
			if j.Error != "" {
				return fmt.Errorf("QEMU says: %s", hypervisor.Clean(j.Error))
			}
			return nil
		}
		select {
		case <-time.After(jobPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
