package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The goals of a crowd; see also the goal of one keeper in memory.go.
const (
	goalKeeperKiB = 5 << 10
	goalList      = 50 * time.Millisecond
	goalFlat      = 0.8 // of the rate at rateOf
	rateOf        = 10
	// cellMiB is what a cell of the built-in guest takes at most, under TCG.
	cellMiB = 40
)

// crowds prints what many cells cost at once.
func (b *bencher) crowds(sizes string) error {
	fmt.Printf("\nmany cells of the built-in guest at once (tcg)\n\n")
	fmt.Printf("%5s  %9s  %9s  %-16s  %-16s  %9s\n", "cells", "up", "a second", "keeper, the most", "ps, median of 9", "down")
	base := 0.0
	for _, f := range strings.Fields(sizes) {
		n, err := strconv.Atoi(f)
		if err != nil || n < 1 {
			return fmt.Errorf("no number of cells: %q", f)
		}
		if have := availableMiB(); have < n*cellMiB {
			fmt.Printf("%5d  cannot be measured here: %d MiB of memory are free, %d cells may take %d\n", n, have, n, n*cellMiB)
			continue
		}
		c, err := b.crowd(n)
		if err != nil {
			return err
		}
		rate := float64(n) / c.up.Seconds()
		if n == rateOf {
			base = rate
		}
		fmt.Printf("%5d  %9s  %9.1f  %-16s  %-16s  %9s\n", n, ms(c.up), rate, fmt.Sprintf("%.1f MiB", float64(c.keeperKiB)/1024), ms(c.list), ms(c.down))
		if base > 0 && n > rateOf {
			fmt.Printf("       %.2f of the rate of %d cells (goal: %.1f or more)\n", rate/base, rateOf, goalFlat)
		}
	}
	fmt.Printf("       goals: a keeper %d MiB or less, ps of 200 cells %s or less; the pages of the program itself count where one keeper alone has them\n", goalKeeperKiB>>10, ms(goalList))
	return nil
}

// crowd is what was measured of so many cells.
type crowd struct {
	up, list, down time.Duration
	keeperKiB      int
	privateKiB     int // keeper and worker together, a cell
}

func (b *bencher) crowd(n int) (crowd, error) { return b.crowdOf(b.skep, n, "crowd") }

// crowdOf starts so many cells with a skep.
func (b *bencher) crowdOf(program string, n int, name string) (c crowd, err error) {
	config := filepath.Join(b.dir, fmt.Sprintf("%s-%d", name, n))
	if err := os.MkdirAll(filepath.Join(config, "cells"), 0o700); err != nil {
		return c, err
	}
	var names []string
	for i := range n {
		name := fmt.Sprintf("c%d", i)
		names = append(names, name)
		text := fmt.Sprintf("cell %q {\n  memory = \"16M\"\n  accel  = \"tcg\"\n}\n", name)
		if err := os.WriteFile(filepath.Join(config, "cells", name+".hcl"), []byte(text), 0o600); err != nil {
			return c, err
		}
	}
	skep := func(args ...string) ([]byte, time.Duration, error) {
		cmd := exec.Command(program, append([]string{"--config-dir", config}, args...)...)
		begin := time.Now()
		out, err := cmd.Output()
		took := time.Since(begin)
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("skep %s: %w\n%s", strings.Join(args, " "), err, exit.Stderr)
		}
		return out, took, err
	}
	_, c.up, err = skep("up", "--all")
	defer func() {
		_, took, derr := skep("down", "--all")
		c.down, err = took, errors.Join(err, derr)
	}()
	if err != nil {
		return c, err
	}
	time.Sleep(2 * time.Second) // what the starts needed has been given back by then
	out, _, err := skep("ps", "--json")
	if err != nil {
		return c, err
	}
	if c.keeperKiB, err = mostOf(out, n); err != nil {
		return c, err
	}
	if c.privateKiB, err = b.privateOf(program, config, names[:min(n, rateOf)]); err != nil {
		return c, err
	}
	var took series
	for range 9 {
		_, d, err := skep("ps")
		if err != nil {
			return c, err
		}
		took = append(took, d)
	}
	c.list = took.at(0.5)
	return c, nil
}

// mostOf is the private memory of the largest keeper in what ps --json says of
// n running cells.
func mostOf(ps []byte, n int) (most int, err error) {
	var list struct {
		Cells []struct {
			State     string
			KeeperPID int `json:"keeper_pid"`
		}
	}
	if err := json.Unmarshal(ps, &list); err != nil {
		return 0, err
	}
	running := 0
	for _, c := range list.Cells {
		if c.State != "running" {
			continue
		}
		running++
		kib, err := privateKiB(fmt.Sprintf("/proc/%d/smaps_rollup", c.KeeperPID))
		if err != nil {
			return 0, err
		}
		most = max(most, kib)
	}
	if running != n {
		return 0, fmt.Errorf("%d of %d cells are running", running, n)
	}
	return most, nil
}

// availableMiB is what programs may still take: proc_meminfo(5).
func availableMiB() int {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		var kib int
		if _, err := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); err == nil {
			return kib >> 10
		}
	}
	return 0
}
