package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The goals of a skep beside the one before it, side by side: what a worker of its own may cost a cell.
const (
	goalStart  = 1.03 // of the time to the greeting, and of the time that up takes
	goalMemory = 1.3  // of the keeper's private memory, for keeper and worker together
	goalRate   = 0.95 // of the cells that start in a second
)

// beside compares this skep with the one before it.
func (b *bencher) beside(before string) error {
	if before == "" {
		fmt.Printf("\nbeside the build before: there is none; make bench BEFORE=COMMIT builds one and compares\n")
		return nil
	}
	before, err := filepath.Abs(before)
	if err != nil {
		return err
	}
	fmt.Printf("\nbeside %s, interleaved\n\n", before)
	if err := b.besideStarts(before); err != nil {
		return err
	}
	if err := b.besideMemory(before); err != nil {
		return err
	}
	n := 200
	if availableMiB() < n*cellMiB {
		n = rateOf
	}
	return b.besideRate(before, n)
}

// besideStarts takes the time of run to the greeting, and of up.
func (b *bencher) besideStarts(before string) error {
	file := filepath.Join(b.dir, "beside.hcl")
	if err := os.WriteFile(file, []byte("cell \"beside\" {\n  memory = \"64M\"\n  accel  = \"tcg\"\n}\n"), 0o600); err != nil {
		return err
	}
	var run, up [2]series
	for i := range b.n + 1 {
		for _, which := range rand.Perm(2) {
			path := [2]string{before, b.skep}[which]
			// Each has a state of its own: what one remembers of the host, the other does not believe and finds out
			// anew, which is no part of a start.
			env := []string{"SKEP_STATE_DIR=" + filepath.Join(b.dir, fmt.Sprintf("state%d", which))}
			do := func(args ...string) ([]byte, error) {
				cmd := exec.Command(path, args...)
				cmd.Env = append(os.Environ(), env...)
				return cmd.CombinedOutput()
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			d, err := (&program{path: path, args: []string{"run", "-q", file}, env: env}).greeting(ctx)
			cancel()
			if err != nil {
				return fmt.Errorf("%s run: %w", path, err)
			}
			begin := time.Now()
			out, err := do("up", file)
			took := time.Since(begin)
			if kout, kerr := do("kill", "beside"); err != nil || kerr != nil {
				return fmt.Errorf("%s up: %w\n%s%s", path, errors.Join(err, kerr), out, kout)
			}
			if i > 0 { // the first of each fills caches
				run[which], up[which] = append(run[which], d), append(up[which], took)
			}
		}
	}
	for _, row := range []struct {
		name string
		took [2]series
	}{{"skep run, to the greeting", run}, {"skep up", up}} {
		was, is := row.took[0].at(0.5), row.took[1].at(0.5)
		fmt.Printf("%-42s  %10s  %10s  %.3f  (goal: %.2f or less)\n", row.name, ms(was), ms(is), float64(is)/float64(was), goalStart)
	}
	return nil
}

// besideMemory takes what keeper and worker have to themselves, alone and among many.
func (b *bencher) besideMemory(before string) error {
	for _, n := range []int{1, rateOf} {
		var kib [2]int
		for which, program := range [2]string{before, b.skep} {
			c, err := b.crowdOf(program, n, fmt.Sprintf("beside%d", which))
			if err != nil {
				return err
			}
			kib[which] = c.privateKiB
		}
		fmt.Printf("%-42s  %6.1f MiB  %6.1f MiB  %.3f  (goal: %.2f or less)\n", fmt.Sprintf("private memory of keeper and worker, of %d", n),
			float64(kib[0])/1024, float64(kib[1])/1024, float64(kib[1])/float64(kib[0]), goalMemory)
	}
	return nil
}

// besideRate starts many cells at once, three times each.
func (b *bencher) besideRate(before string, n int) error {
	var took [2]series
	for range 3 {
		for _, which := range rand.Perm(2) {
			c, err := b.crowdOf([2]string{before, b.skep}[which], n, fmt.Sprintf("beside%d", which))
			if err != nil {
				return err
			}
			took[which] = append(took[which], c.up)
		}
	}
	rate := func(s series) float64 { return float64(n) / s.at(0.5).Seconds() }
	was, is := rate(took[0]), rate(took[1])
	fmt.Printf("%-42s  %10.1f  %10.1f  %.3f  (goal: %.2f or more)\n", fmt.Sprintf("cells a second, of %d at once", n), was, is, is/was, goalRate)
	return nil
}

// privateOf is what the keepers and workers in what show --json says have to themselves, a cell.
func (b *bencher) privateOf(program, config string, names []string) (kib int, err error) {
	for _, name := range names {
		out, err := exec.Command(program, "--config-dir", config, "show", "--json", name).Output()
		if err != nil {
			return 0, err
		}
		var cell struct {
			KeeperPID int `json:"keeper_pid"`
			Worker    struct{ PID int }
		}
		if err := json.Unmarshal(out, &cell); err != nil {
			return 0, err
		}
		for _, pid := range []int{cell.KeeperPID, cell.Worker.PID} {
			if pid == 0 {
				continue // one from before workers
			}
			n, err := privateKiB(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
			if err != nil {
				return 0, err
			}
			kib += n
		}
	}
	return kib / len(names), nil
}
