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
