package diskdiff

import (
	"strings"
	"testing"
)

// A size that a hostile file system says does not add to what may be hashed.
func TestNegativeSize(t *testing.T) {
	h := hashing{left: 10}
	if got := h.sum(strings.NewReader("x"), -5); got != "" || h.left != 10 || h.skipped != 1 {
		t.Errorf("%q, and %d are left", got, h.left)
	}
}
