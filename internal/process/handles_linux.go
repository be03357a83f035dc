package process

import (
	"fmt"
	"os"
	"slices"
	"strconv"
)

// Handles are the open files of a process, for people: number and what it refers to.
func Handles(pid int) ([]string, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	var all []string
	for _, n := range numbers {
		target, err := os.Readlink(fmt.Sprintf("%s/%d", dir, n))
		if err != nil {
			target = "closed meanwhile"
		}
		all = append(all, fmt.Sprintf("%d -> %s", n, target))
	}
	return all, nil
}
