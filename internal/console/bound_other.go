//go:build !linux

package console

import "context"

// Bound keeps a log below max bytes until the context ends.
func Bound(ctx context.Context, path string, max int64) error {
	return boundByTime(ctx, path, max)
}
