package linuxjail

import (
	"testing"
	"time"

	"skep/internal/jail"
)

// Refusals are counted as long as they come now and then, for years; a flood of them is counted to a bound.
func TestRefusalsAreBounded(t *testing.T) {
	never := func(uint64) bool { return false }
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	slow := newRefusals()
	for i := range 100_000 {
		if !slow.inRun("getcwd", never, now.Add(time.Duration(i)*time.Second)) {
			t.Fatalf("one a second is too often after %d", i)
		}
	}
	if seen := slow.copy(); seen.Run["getcwd"] != 100_000 || seen.Uncounted != "" {
		t.Errorf("%+v", seen)
	}
	fast := newRefusals()
	n := 0
	for fast.inRun("getcwd", never, now) {
		n++
	}
	if seen := fast.copy(); n != burst || seen.Uncounted != jail.TooOften {
		t.Errorf("%d at once: %+v", n, seen)
	}
}

// Expected refusals are counted with all the others, and told from them by number.
func TestExpectedRefusals(t *testing.T) {
	r := newRefusals()
	twice := func(seen uint64) bool { return seen < 2 }
	for range 3 {
		r.inRun("openat", twice, time.Now())
	}
	r.inRun("unlink", twice, time.Now())
	seen := r.copy()
	if odd := seen.Unexpected(); seen.Total() != 4 || len(odd) != 1 || odd["openat"] != 1 || seen.Expected["unlink"] != 1 {
		t.Errorf("%+v: unexpected %v", seen, odd)
	}
}
