package linuxjail

import (
	"context"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"skep/internal/jail/seccomp"
)

// TestTogether: jails that are built at once by one process do not get in each other's way, and each
// start has the process that it started. The number of the pidfd once went to where the stack of the
// goroutine had been, when that moved at the wrong moment.
func TestTogether(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	probes, err := ProbeLayers(testIdentity)
	if err != nil {
		t.Fatal(err)
	}
	spec := Spec{Hostname: "cell", Identity: testIdentity, Path: "/bin/true", Argv: []string{"true"},
		Root: Root{Size: 1 << 20, Files: closure(t, "/bin/true")}, Layers: decide(probes), Policy: seccomp.QEMU(seccomp.TCG)}
	if spec.EmptyMounts, err = SharedEmptyMounts(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	go func() { // each round makes stacks move
		for ctx.Err() == nil {
			runtime.GC()
		}
	}()
	for range 12 {
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				p, err := Start(ctx, spec)
				if err != nil {
					t.Error(err)
					return
				}
				if exit, err := p.Wait(ctx); err != nil || !exit.Seen || exit.Code != 0 || exit.Signal != 0 {
					t.Errorf("process %d: %+v, %v", p.Pid(), exit, err)
				}
				if err := p.Release(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if t.Failed() {
			return
		}
	}
}
