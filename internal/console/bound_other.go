//go:build !linux

package console

import "context"

// Bound keeps a log below max bytes until the context ends, by trim: Trim does.
func Bound(ctx context.Context, path string, max int64, trim func(path string, max int64) error) error {
	return boundByTime(ctx, path, max, trim)
}
