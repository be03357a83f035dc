package network

import (
	"errors"
	"testing"

	"github.com/vishvananda/netlink"
)

// A list that changed while it was told is asked for again; any other error is one.
func TestDumpThatIsInterrupted(t *testing.T) {
	n := 0
	got, err := dump(func() (int, error) {
		if n++; n < 3 {
			return 0, netlink.ErrDumpInterrupted
		}
		return n, nil
	})
	if got != 3 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	n = 0
	other := errors.New("no")
	if _, err := dump(func() (int, error) { n++; return 0, other }); err != other || n != 1 {
		t.Errorf("%v after %d", err, n)
	}
	if _, err := dump(func() (int, error) { return 0, netlink.ErrDumpInterrupted }); err == nil {
		t.Error("what never ends ends well")
	}
}
