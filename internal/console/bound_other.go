//go:build !linux

package console

import (
	"context"
	"time"
)

// boundPause is how long a log is left alone between two looks at it.
const boundPause = time.Second

// Bound keeps a log below max bytes until the context ends.
func Bound(ctx context.Context, path string, max int64) error {
	t := time.NewTicker(boundPause)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if err := Trim(path, max); err != nil {
				return err
			}
		}
	}
}
