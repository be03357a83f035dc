//go:build !linux && !freebsd

package probe

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"skep/internal/host"
)

func probe(context.Context, Options, *host.Facts) error {
	return fmt.Errorf("cells on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func probeTools(Options, *host.Facts) {}

// systemDirs: reading a cell file or planning for another host needs no more of
// this system.
var systemDirs = host.SystemDirsLinux
