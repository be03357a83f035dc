package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// All verbs are safe against each other and against themselves: twenty at a
// time on five cells, in rounds. No verb hangs, every exit status is in the
// table, and in the end nothing is left. SKEP_TEST_ROUNDS sets the number of
// rounds, SKEP_TEST_SEED repeats one run.
func TestTwentyVerbsAtOnce(t *testing.T) {
	needCells(t)
	rounds, seed := envNumber("SKEP_TEST_ROUNDS", 4), uint64(envNumber("SKEP_TEST_SEED", int(time.Now().UnixNano()&0xffffff)))
	t.Logf("%d rounds, seed %d", rounds, seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	l := newLab(t)
	for i := range 5 {
		l.cell(fmt.Sprintf("p%d", i), `accel = "tcg"`)
	}
	verbs := [][]string{{"up"}, {"up"}, {"up"}, {"down"}, {"down", "--force"}, {"kill"}, {"restart", "--force"}, {"sweep"}, {"ps"}, {"show"}, {"log"}}
	seen := map[int]int{}
	var mu sync.Mutex
	for round := range rounds {
		var wg sync.WaitGroup
		for range 20 {
			args := append([]string(nil), verbs[rng.IntN(len(verbs))]...)
			if args[0] != "ps" {
				args = append(args, fmt.Sprintf("p%d", rng.IntN(5)))
			}
			wg.Add(1)
			go func() {
				defer wg.Done()
				ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
				defer cancel()
				var out, errs bytes.Buffer
				cmd := l.command(ctx, args...)
				cmd.Stdout, cmd.Stderr = &out, &errs
				_ = cmd.Run()
				r := result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
				mu.Lock()
				defer mu.Unlock()
				seen[r.code]++
				if ctx.Err() != nil {
					t.Errorf("round %d: skep %s hangs\n%s", round, strings.Join(args, " "), r)
				}
				if r.code < 0 || r.code > 6 && r.code != 75 {
					t.Errorf("round %d: skep %s ended with %d\n%s", round, strings.Join(args, " "), r.code, r)
				}
				if r.code != 0 && !strings.Contains(r.err, "skep: error: cannot ") {
					t.Errorf("round %d: skep %s failed without a word\n%s", round, strings.Join(args, " "), r)
				}
			}()
		}
		wg.Wait()
		if t.Failed() {
			break
		}
	}
	l.skep("down", "--all", "--force")
	l.must(0, "sweep")
	l.nothingLeft()
	t.Logf("exit statuses: %v", seen)
}

func envNumber(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}
