//go:build !linux && !freebsd

package host

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

func probe(context.Context, Options, *Facts) error {
	return fmt.Errorf("cells on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// systemDirs: reading a cell file or planning for another host needs no more of
// this system.
var systemDirs = systemDirsLinux
