//go:build !linux && !freebsd

package cli

import (
	"context"
	"io"
)

// readerGone never tells on this system: a write that fails does.
func readerGone(context.Context, io.Writer) <-chan struct{} { return nil }
