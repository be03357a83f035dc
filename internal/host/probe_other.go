//go:build !linux && !freebsd

package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
)

func probe(context.Context, Options, *Facts) error {
	return fmt.Errorf("cells on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// DirsFor settles the three directories; reading a cell file or planning for
// another host needs no more of this system.
func DirsFor(o Options) Dirs { return o.dirs(systemDirsLinux, os.Geteuid()) }
