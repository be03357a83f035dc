//go:build !linux && !freebsd

package drill

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
)

var errUnsupported = fmt.Errorf("cannot do that part of a drill on this system yet: %w", errors.ErrUnsupported)

// Ablate measures which layers stop which attempt; on this system it cannot yet.
func Ablate(context.Context, Config) (Matrix, error) { return Matrix{}, errUnsupported }

// Apart starts a command in a throwaway host; on this system there is none yet.
func Apart(*exec.Cmd) error { return errUnsupported }

// Furnish prepares a throwaway host.
func Furnish() error { return errUnsupported }

// FurnishPeers gives a throwaway host what other sandboxes ask for.
func FurnishPeers() error { return errUnsupported }

// Peers makes the attempts in a cell and in other sandboxes; on this system it cannot yet.
func Peers(context.Context, Config, ...string) (Comparison, error) {
	return Comparison{}, errUnsupported
}
