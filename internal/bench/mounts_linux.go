package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"
)

// The matrix that Firecracker publishes for its jailer: so many jails at once, so many mounts of the
// host's more than there are.
var (
	matrixJails  = []int{1, 5, 10}
	matrixMounts = []int{0, 100, 300, 500}
)

const (
	matrixRounds = 45
	goalMatrix   = 1.2 // the worst cell of the matrix, of the best
)

// matrix prints whether a jail's cost depends on the host. The cost is the processor time of a jail,
// which is the same on any number of processors; the time that passes is printed too, divided by the
// number of jails: more of them keep more processors busy.
func (b *bencher) matrix() error {
	fmt.Printf("\none jail of several at once, by the mounts of the host, medians of %d, %d processors\n\n", matrixRounds, runtime.NumCPU())
	if os.Geteuid() != 0 {
		fmt.Println("cannot be measured here: it takes root")
		return nil
	}
	hosts := map[int][]*nursery{}
	defer func() {
		for _, list := range hosts {
			for _, n := range list {
				n.close()
			}
		}
	}()
	for _, m := range matrixMounts {
		for range slices.Max(matrixJails) {
			n, err := newNursery(b.dir, m)
			if err != nil {
				fmt.Println("cannot be measured here:", err)
				return nil
			}
			hosts[m] = append(hosts[m], n)
		}
	}
	cpu, wall := map[[2]int]series{}, map[[2]int]series{}
	for round := range matrixRounds + 1 {
		// In another order each time: one jail alone would always follow ten.
		for _, cell := range rand.Perm(len(matrixJails) * len(matrixMounts)) {
			jails, m := matrixJails[cell/len(matrixMounts)], matrixMounts[cell%len(matrixMounts)]
			used, passed, err := together(hosts[m][:jails])
			if err != nil {
				return fmt.Errorf("%d jails at once with %d mounts more: %w", jails, m, err)
			}
			if round > 0 { // the first fills caches
				at := [2]int{jails, m}
				cpu[at] = append(cpu[at], used/time.Duration(jails))
				wall[at] = append(wall[at], passed/time.Duration(jails))
			}
		}
	}
	b.table("processor time of each", cpu)
	b.table("time that passed, to the exec of the last, for each", wall)
	return nil
}

// together has each build a jail at once: the processor time of all of them, and the time until the last
// exec.
func together(list []*nursery) (used, passed time.Duration, err error) {
	got, errs := make([]built, len(list)), make([]error, len(list))
	var all sync.WaitGroup
	for i, n := range list {
		all.Go(func() { got[i], errs[i] = n.build() })
	}
	all.Wait()
	for _, b := range got {
		used += b.CPU
		passed = max(passed, b.Exec)
	}
	return used, passed, errors.Join(errs...)
}

// table prints one matrix, and its worst cell by its best.
func (b *bencher) table(title string, of map[[2]int]series) {
	fmt.Printf("%-52s", title)
	for _, m := range matrixMounts {
		fmt.Printf("  %8s", fmt.Sprintf("+%d", m))
	}
	fmt.Println()
	for _, jails := range matrixJails {
		fmt.Printf("%52s", fmt.Sprintf("%d at once", jails))
		for _, m := range matrixMounts {
			fmt.Printf("  %8s", ms(of[[2]int{jails, m}].at(0.5)))
		}
		fmt.Printf("  by mounts %.2f\n", spread(of, func(at [2]int) bool { return at[0] == jails }))
	}
	fmt.Printf("%52s  the worst is %.2f of the best (goal: %.1f or less)\n", "", spread(of, func([2]int) bool { return true }), goalMatrix)
}

// spread is the largest median by the smallest of some cells of a matrix.
func spread(of map[[2]int]series, in func([2]int) bool) float64 {
	var least, most time.Duration
	for at, s := range of {
		if !in(at) {
			continue
		}
		if m := s.at(0.5); least == 0 || m < least {
			least = m
		}
		most = max(most, s.at(0.5))
	}
	if least == 0 {
		return 0
	}
	return float64(most) / float64(least)
}
