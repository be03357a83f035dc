package fault

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
)

// What the host lacks for now is told from what it has not got.
func TestBusy(t *testing.T) {
	for err, want := range map[error]Code{
		syscall.EAGAIN: Busy, syscall.EMFILE: Busy, syscall.ENOMEM: Busy, syscall.EBUSY: Busy,
		syscall.ENOENT: Host, syscall.EPERM: Host, syscall.ENOSPC: Host, errors.New("x"): Host,
	} {
		if got := CodeOf(Wrap(Host, fmt.Errorf("open x: %w", err), "", "start it")); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
		// A mistake of the command line's stays one.
		if got := CodeOf(Wrap(Input, err, "", "read it")); got != Input {
			t.Errorf("%v as input: %d", err, got)
		}
	}
	if got := CodeOf(Wrap(Host, Wrap(Host, syscall.EAGAIN, "", "fork"), "", "start")); got != Busy {
		t.Error(got)
	}
}
