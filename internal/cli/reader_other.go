//go:build !linux && !freebsd

package cli

import (
	"context"
	"io"
	"os"
)

// blockingPipe is any pipe.
func blockingPipe() (r, w *os.File, err error) { return os.Pipe() }

// readerGone never tells on this system: a write that fails does.
func readerGone(context.Context, io.Writer) <-chan struct{} { return nil }
