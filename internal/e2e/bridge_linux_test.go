package e2e

import (
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
)

// A bridge of skep's goes with the last cell on it. Cells that leave it at once, and others that come
// meanwhile, agree on who is the last.
func TestBridgeThatComesAndGoes(t *testing.T) {
	needCells(t)
	needTap(t)
	if os.Geteuid() != 0 {
		t.Skip("taps and bridges need root")
	}
	l := newLab(t)
	bridge := fmt.Sprintf("skg%d", os.Getpid()%100000)
	for _, name := range []string{"a", "b", "c", "d"} {
		l.cell(name, fmt.Sprintf("accel = \"tcg\"\nbridge %q {\n  create = true\n}\nnic \"n\" {\n  bridge = %q\n}", bridge, bridge))
	}
	for range 3 {
		l.must(0, "up", "a", "b")
		var both sync.WaitGroup
		both.Go(func() { l.must(0, "kill", "a", "b") })
		both.Go(func() { l.must(0, "up", "c", "d") })
		both.Wait()
		l.must(0, "kill", "c", "d")
		l.nothingLeft()
		if _, err := net.InterfaceByName(bridge); err == nil {
			t.Fatalf("bridge %s is left", bridge)
		}
	}
}
