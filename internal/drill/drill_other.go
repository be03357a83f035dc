//go:build !linux && !freebsd

package drill

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
)

var errUnsupported = fmt.Errorf("cannot drill on this system yet: %w", errors.ErrUnsupported)

// Scene is a place to attack from. There is none on this system yet.
type Scene struct{}

// attempts is the table. This system has none yet.
func attempts() []Attempt { return nil }

// Run drills a twin of the cell; on this system it cannot yet.
func Run(context.Context, Config) (Report, error) { return Report{}, errUnsupported }

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
