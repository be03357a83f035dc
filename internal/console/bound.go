package console

import (
	"context"
	"time"
)

// boundTick is how often a log is looked at where nothing wakes us.
const boundTick = time.Second

// boundByTime keeps a log below max bytes by looking at it every second.
func boundByTime(ctx context.Context, path string, max int64, trim func(string, int64) error) error {
	t := time.NewTicker(boundTick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if err := trim(path, max); err != nil {
				return err
			}
		}
	}
}
