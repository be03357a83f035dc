package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSoak does anything to cells at random for SKEP_SOAK_MINUTES: starts,
// stops, kills, resets, audits, alone and two at once. After every step what
// skep says is compared with what the kernel says; in the end the host is as it
// was. SKEP_SOAK_SEED repeats a run. A failure prints the seed and the shortest
// trail that was found to fail as well. make soak is this test.
func TestSoak(t *testing.T) {
	minutes := envNumber("SKEP_SOAK_MINUTES", 0)
	if minutes == 0 {
		t.Skip("make soak MINUTES=10")
	}
	needCells(t)
	seed := uint64(envNumber("SKEP_SOAK_SEED", int(time.Now().UnixNano()&0xffffff)))
	t.Logf("seed %d, %d minutes", seed, minutes)
	rng := rand.New(rand.NewPCG(seed, 5))
	before := hostLooks()
	var trail []soakStep
	deadline := time.Now().Add(time.Duration(minutes) * time.Minute)
	err := soak(t, func() (soakStep, bool) {
		s := randomStep(rng)
		trail = append(trail, s)
		return s, time.Now().Before(deadline)
	})
	counts := map[string]int{}
	for _, s := range trail {
		counts[s.verb]++
	}
	t.Logf("%d steps: %v", len(trail), counts)
	if err != nil {
		t.Errorf("seed %d, after %d steps: %v", seed, len(trail), err)
		short, why := shorten(trail, 5*time.Minute, func(some []soakStep) error { return replay(t, some) })
		t.Errorf("the shortest trail that fails, of %d steps (%v):\n%s", len(short), why, trailText(short))
		return
	}
	if after := hostLooks(); after != before {
		t.Errorf("seed %d: before\n%s\nafter\n%s", seed, before, after)
	}
}

// soak does steps on cells of a lab of its own, until there is none or one
// fails, and then takes everything down.
func soak(t *testing.T, next func() (soakStep, bool)) error {
	s := newSoaked(t)
	var done []soakStep
	finished := false
	defer func() {
		if !finished { // a command that hangs ends the test where it is
			t.Logf("the trail:\n%s", trailText(done))
		}
	}()
	err := func() error {
		for {
			step, ok := next()
			if !ok {
				return nil
			}
			done = append(done, step)
			if err := s.do(step); err != nil {
				return fmt.Errorf("%s: %w", step, err)
			}
			if err := s.consistent(); err != nil {
				return fmt.Errorf("after %s: %w", step, err)
			}
		}
	}()
	finished = true
	s.l.skep("kill", "--all")
	s.l.skep("sweep")
	if err != nil {
		return err
	}
	return settles(10*time.Second, func() error {
		if left := s.l.left(); len(left) > 0 {
			return fmt.Errorf("left behind:\n  %s", strings.Join(left, "\n  "))
		}
		return nil
	})
}

// replay is soak with a trail.
func replay(t *testing.T, trail []soakStep) error {
	i := 0
	return soak(t, func() (soakStep, bool) {
		if i == len(trail) {
			return soakStep{}, false
		}
		i++
		return trail[i-1], true
	})
}

// shorten looks, within a time, for fewer steps that fail too: first the last
// of them alone, twice as many each time, then with parts left out. A failure
// that needs its luck may not come again; then the whole trail is what there
// is.
func shorten(trail []soakStep, within time.Duration, replay func([]soakStep) error) ([]soakStep, error) {
	deadline := time.Now().Add(within)
	var why error
	fails := func(some []soakStep) bool {
		if time.Now().After(deadline) {
			return false
		}
		err := replay(some)
		if err != nil {
			why = err
		}
		return err != nil
	}
	short := trail
	for n := 4; n < len(trail); n *= 2 {
		if last := trail[len(trail)-n:]; fails(last) {
			short = last
			break
		}
	}
	if why == nil && !fails(trail) {
		return trail, fmt.Errorf("it did not fail again")
	}
	for part := len(short) / 2; part > 0; part /= 2 {
		for from := 0; from+part <= len(short); {
			if less := slices.Concat(short[:from], short[from+part:]); fails(less) {
				short = less
			} else {
				from += part
			}
		}
	}
	return short, why
}

// The shortest trail is found among many steps, and one that fails only by luck
// is left whole.
func TestShorten(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	var trail []soakStep
	for range 200 {
		trail = append(trail, randomStep(rng))
	}
	trail[60], trail[150] = soakStep{verb: "first"}, soakStep{verb: "then"}
	tries := 0
	short, why := shorten(trail, time.Minute, func(some []soakStep) error {
		tries++
		first := slices.Index(some, soakStep{verb: "first"})
		if then := slices.Index(some, soakStep{verb: "then"}); first >= 0 && then > first {
			return fmt.Errorf("it fails")
		}
		return nil
	})
	if trailText(short) != "  first\n  then\n" || why == nil || tries > 100 {
		t.Errorf("after %d tries (%v):\n%s", tries, why, trailText(short))
	}
	if whole, why := shorten(trail, time.Minute, func([]soakStep) error { return nil }); len(whole) != len(trail) || why == nil {
		t.Errorf("%d steps, %v", len(whole), why)
	}
}

func trailText(trail []soakStep) string {
	var b strings.Builder
	for _, s := range trail {
		fmt.Fprintf(&b, "  %s\n", s)
	}
	return b.String()
}

// settles waits for a function to find nothing wrong, and returns what it found
// last.
func settles(within time.Duration, ok func() error) (err error) {
	for deadline := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		if err = ok(); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
