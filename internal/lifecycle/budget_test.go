package lifecycle

import (
	"strings"
	"testing"
	"time"

	"skep/internal/cell"
)

func newBudget(starts int, within time.Duration) *budget {
	return &budget{max: cell.RestartMax{Starts: starts, Within: within}}
}

func TestBudgetIsSpent(t *testing.T) {
	b, now := newBudget(3, time.Minute), time.Unix(1000, 0)
	for i := range 3 {
		if !b.spend(now.Add(time.Duration(i) * time.Second)) {
			t.Fatalf("start %d of 3 is refused", i+1)
		}
	}
	if b.spend(now.Add(4 * time.Second)) {
		t.Error("a fourth start within a minute is allowed")
	}
	if !b.spend(now.Add(61 * time.Second)) {
		t.Error("the first start is more than a minute ago, and another is refused")
	}
}

// The pauses double, end at a minute, and begin anew once the window is empty.
func TestPausesDouble(t *testing.T) {
	b, now := newBudget(1000, time.Hour), time.Unix(1000, 0)
	var got []string
	for range 9 {
		b.spend(now)
		got = append(got, b.pause().String())
	}
	if want := "500ms 1s 2s 4s 8s 16s 32s 1m0s 1m0s"; strings.Join(got, " ") != want {
		t.Errorf("pauses %v, want %s", got, want)
	}
	b.spend(now.Add(2 * time.Hour))
	if p := b.pause(); p != firstPause {
		t.Errorf("after two good hours the pause is %s", p)
	}
}

// A clock that jumps back gives nobody more starts, and does not hold a cell
// for longer than the window from then on.
func TestBudgetAndClockJumpingBack(t *testing.T) {
	b, noon := newBudget(2, time.Minute), time.Unix(100_000, 0)
	b.spend(noon)
	b.spend(noon.Add(time.Second))
	morning := noon.Add(-6 * time.Hour)
	if b.spend(morning) {
		t.Error("the jump gave it another start")
	}
	if !b.spend(morning.Add(61 * time.Second)) {
		t.Error("a minute after the jump it is still held")
	}
}
