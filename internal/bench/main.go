// Command bench measures what a cell costs: the time from start to the first byte of the built-in
// guest's greeting, in a cell and with QEMU bare; the jail alone, beside what others take for theirs, and
// with more mounts on the host; the work of a Linux guest, in a cell and with QEMU bare; the private
// memory of a keeper, what images and layers cost, what many cells cost at once; and some of that side by
// side with another skep. It prints goals next to figures and never fails
// because of one.
//
// Runs are interleaved, one of each kind in a round and each round in another order, so that whatever else
// the machine does, and what one run leaves to the kernel, meets all of them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"skep/internal/worker"
)

func main() {
	worker.ServeIfAsked()
	skep := flag.String("skep", "bin/skep", "the skep to measure")
	n := flag.Int("n", 25, "runs of each kind")
	accels := flag.String("accel", "tcg kvm", "what to measure with")
	many := flag.String("crowd", "1 10 50 200", "numbers of cells at once")
	only := flag.String("only", "start jail mounts guest templates memory images crowd before", "what to measure")
	plot := flag.String("plot", "", "draw what was measured of starts and templates into this file (.svg, .png)")
	before := flag.String("before", "", "the skep to measure this one beside")
	flag.Parse()
	if flag.Arg(0) == innerName {
		if err := innerMain(flag.Args()[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := bench(*skep, *before, *n, *accels, *many, *only, *plot); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// innerMain is what a nursery starts: MOUNTS DIRECTORY.
func innerMain(args []string) error {
	if len(args) != 2 {
		return errors.New("bench starts this itself")
	}
	mounts, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	return inner(mounts, args[1])
}

func bench(skep, before string, n int, accels, many, only, plot string) error {
	skep, err := filepath.Abs(skep)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "skep-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, sub := range map[string]string{"SKEP_CONFIG_DIR": "config", "SKEP_STATE_DIR": "state", "SKEP_RUN_DIR": "run"} {
		if err := os.Setenv(name, filepath.Join(dir, sub)); err != nil {
			return err
		}
	}
	// Facts are found out once on a host and remembered; that is no part of a start.
	if out, err := exec.Command(skep, "doctor").CombinedOutput(); err != nil {
		return fmt.Errorf("skep doctor: %w\n%s", err, out)
	}
	b := &bencher{skep: skep, dir: dir, n: n}
	for _, part := range []struct {
		name    string
		measure func() error
	}{
		{"start", func() error { return b.starts(accels) }},
		{"jail", b.jail},
		{"mounts", b.matrix},
		{"guest", b.guests},
		{"templates", b.templates},
		{"memory", b.memory},
		{"images", b.images},
		{"crowd", func() error { return b.crowds(many) }},
		{"before", func() error { return b.beside(before) }},
	} {
		if !contains(only, part.name) {
			continue
		}
		if err := part.measure(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	if plot != "" {
		return b.picture(plot)
	}
	return nil
}

// starts compares starts under each accelerator.
func (b *bencher) starts(accels string) error {
	fmt.Printf("time from start to the greeting's first byte, %d runs of each, interleaved\n\n", b.n)
	fmt.Printf("%-5s  %-34s  %8s  %8s  %8s  %7s\n", "accel", "what", "median", "quarter", "3/4", "ratio")
	for _, accel := range []string{"tcg", "kvm"} {
		if !contains(accels, accel) {
			continue
		}
		if err := b.start(accel); err != nil {
			fmt.Printf("%-5s  cannot be measured here: %v\n", accel, err)
		}
	}
	return nil
}

// bencher measures one skep.
type bencher struct {
	skep, dir string
	n         int
	marks     []mark
}

// start compares starts under one accelerator.
func (b *bencher) start(accel string) error {
	file := filepath.Join(b.dir, "bench.hcl")
	text := fmt.Sprintf("cell \"bench\" {\n  memory = \"64M\"\n  accel  = %q\n}\n", accel)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	bare, typed, err := b.bare(file, accel)
	if err != nil {
		return err
	}
	inside, err := newInside(file)
	if err != nil {
		return err
	}
	kinds := []struct {
		name string
		once func(context.Context) (time.Duration, error)
		goal float64
		took series
	}{
		{name: "QEMU bare, with the cell's board", once: bare.greeting},
		{name: "QEMU bare, as typed by hand", once: typed.greeting},
		{name: "skep run, all of it", once: (&program{path: b.skep, args: []string{"run", "-q", file}}).greeting, goal: 1.20},
		{name: "the cell: plan, jail, QEMU, guest", once: inside.greeting, goal: 1.00},
	}
	for i := range b.n + 1 {
		// In another order each time: what a cell leaves to the kernel's threads falls on the run that follows.
		for _, k := range rand.Perm(len(kinds)) {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			d, err := kinds[k].once(ctx)
			cancel()
			if err != nil {
				return fmt.Errorf("%s: %w", kinds[k].name, err)
			}
			if i > 0 { // the first of each fills caches
				kinds[k].took = append(kinds[k].took, d)
			}
		}
	}
	base, hand := kinds[0].took.at(0.5), kinds[1].took.at(0.5)
	for _, k := range kinds {
		b.marked(accel+": ", k.name, k.took)
		ratio := ""
		if k.goal > 0 {
			of := func(base time.Duration) float64 { return float64(k.took.at(0.5)) / float64(base) }
			ratio = fmt.Sprintf("%7.2f  (goal: %.2f or less); %.2f of the one typed by hand", of(base), k.goal, of(hand))
		}
		fmt.Printf("%-5s  %-34s  %8s  %8s  %8s  %s\n", accel, k.name, ms(k.took.at(0.5)), ms(k.took.at(0.25)), ms(k.took.at(0.75)), ratio)
	}
	return nil
}
