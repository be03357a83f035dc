package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// memory prints what the keeper of a running cell has to itself.
func (b *bencher) memory() error {
	if out, err := exec.Command(b.skep, "up", "hello").CombinedOutput(); err != nil {
		return fmt.Errorf("skep up hello: %w\n%s", err, out)
	}
	defer func() { _ = exec.Command(b.skep, "kill", "hello").Run() }()
	out, err := exec.Command(b.skep, "show", "hello", "--json").Output()
	if err != nil {
		return fmt.Errorf("skep show: %w", err)
	}
	var cell struct {
		KeeperPID int `json:"keeper_pid"`
	}
	if err := json.Unmarshal(out, &cell); err != nil {
		return err
	}
	time.Sleep(2 * time.Second) // what the start needed has been given back by then
	private, err := privateKiB(fmt.Sprintf("/proc/%d/smaps_rollup", cell.KeeperPID))
	if err != nil {
		return err
	}
	fmt.Printf("\nkeeper's private memory, two seconds after the start: %.1f MiB (goal: 5 MiB or less)\n", float64(private)/1024)
	return nil
}

func privateKiB(file string) (int, error) {
	b, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return 0, err
	}
	sum := 0
	for _, line := range strings.Split(string(b), "\n") {
		var n int
		for _, field := range []string{"Private_Clean:", "Private_Dirty:"} {
			if strings.HasPrefix(line, field) {
				if _, err := fmt.Sscanf(line[len(field):], "%d kB", &n); err != nil {
					return 0, err
				}
				sum += n
			}
		}
	}
	return sum, nil
}

// series are measured times.
type series []time.Duration

// at is the value below which that part of the series lies.
func (s series) at(part float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Clone(s)
	slices.Sort(sorted)
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

func contains(list, word string) bool { return slices.Contains(strings.Fields(list), word) }
