package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"skep/internal/drill"
)

// jailRuns is how often each is started: the least of which a hundredth part is one.
const jailRuns = 100

// A rival is another way to put one program into a jail. It does its own, with options of the same
// kind as a cell's, and runs true(1); what is measured is its whole run, as a cell's jail is until
// true(1) has ended.
type rival struct {
	name    string
	words   func(dir string) []string
	prepare func(dir string) error
	took    series
	absent  string // why it is not measured
}

func rivals() []*rival {
	return []*rival{
		{name: "bwrap --unshare-all", words: func(string) []string {
			return []string{"bwrap", "--unshare-all", "--ro-bind", "/", "/", "/bin/true"}
		}},
		{name: "runc run", words: func(dir string) []string {
			return []string{"runc", "--root", filepath.Join(dir, "state"), "run", "--bundle", dir, "skep-bench"}
		}, prepare: func(dir string) error {
			if err := drill.EmptyRootfs(filepath.Join(dir, "rootfs")); err != nil {
				return err
			}
			return drill.RuncBundle(dir, "/bin/true")
		}},
		{name: "firejail", words: func(string) []string {
			return []string{"firejail", "--quiet", "--noprofile", "--net=none", "--private", "--private-dev", "--caps.drop=all", "--seccomp", "/bin/true"}
		}},
	}
}

// once runs it. One that fails is not measured any more.
func (r *rival) once(dir string) {
	if r.absent != "" {
		return
	}
	words := r.words(dir)
	begin := time.Now()
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	took := time.Since(begin)
	if err != nil {
		r.absent = fmt.Sprintf("%v: %.100q", err, out)
		return
	}
	r.took = append(r.took, took)
}

// jail prints what the jail costs without a hypervisor, beside what others take for theirs.
func (b *bencher) jail() error {
	fmt.Printf("\nthe jail alone, with true(1) in the hypervisor's place, %d runs of each, interleaved\n\n", jailRuns)
	if os.Geteuid() != 0 {
		fmt.Println("cannot be measured here: it takes root")
		return nil
	}
	n, err := newNursery(b.dir, 0)
	if err != nil {
		fmt.Println("cannot be measured here:", err)
		return nil
	}
	defer n.close()
	others := rivals()
	dirs := make([]string, len(others))
	for i, r := range others {
		dirs[i] = filepath.Join(b.dir, fmt.Sprintf("rival-%d", i))
		if _, err := exec.LookPath(r.words("")[0]); err != nil {
			r.absent = "it is not installed; scripts/deps peers installs it"
		} else if err := os.Mkdir(dirs[i], 0o755); err != nil {
			return err
		} else if r.prepare != nil {
			if err := r.prepare(dirs[i]); err != nil {
				r.absent = err.Error()
			}
		}
	}
	var toExec, toEnd series
	ours := func() error {
		got, err := n.build()
		toExec, toEnd = append(toExec, got.Exec), append(toEnd, got.Ended)
		return err
	}
	for i := range jailRuns + 1 {
		// In another order each time: what one leaves to the kernel's threads, above all its network
		// namespace, falls on the one that follows.
		for _, at := range rand.Perm(len(others) + 1) {
			if at < len(others) {
				others[at].once(dirs[at])
			} else if err := ours(); err != nil {
				return err
			}
		}
		if i == 0 { // the first of each fills caches
			toExec, toEnd = nil, nil
			for _, r := range others {
				r.took = nil
			}
		}
	}
	fmt.Printf("%-36s  %8s  %8s\n", "what", "p50", "p99")
	show := func(name string, s series, more string) {
		fmt.Printf("%-36s  %8s  %8s  %s\n", name, ms(s.at(0.5)), ms(s.at(0.99)), more)
	}
	part, goal := "", ""
	if bwrap := others[0]; bwrap.absent == "" {
		of := func(s series) float64 { return float64(s.at(0.5)) / float64(bwrap.took.at(0.5)) }
		part = fmt.Sprintf("%.2f of bwrap's p50, which has true(1) in it", of(toExec))
		goal = fmt.Sprintf("%.2f of bwrap's p50 (goal: 1.00 or less)", of(toEnd))
	}
	show("skep, from the plan to the exec", toExec, part)
	show("skep, until true(1) has ended", toEnd, goal)
	for _, r := range others {
		if r.absent != "" {
			fmt.Printf("%-36s  cannot be measured here: %s\n", r.name, r.absent)
			continue
		}
		show(r.name, r.took, "")
	}
	return nil
}
