package e2e

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The process of a guest's network dies while the guest runs, and nothing can be started in its place: it is tried
// again while that may pass, and given up in the end. The guest goes on without a network, which the audit says.
func TestNetworkCannotBeStartedAgain(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("alone", `nic "lan" { network = "sinkhole" }`)
	l.must(0, "up", "alone")
	log := l.path("state/cells/alone/network.jsonl")
	kill := func() {
		t.Helper()
		all := l.networks("alone")
		if len(all) != 1 {
			t.Fatalf("%d networks", len(all))
		}
		if err := unix.Kill(all[0], unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	block := func() {
		t.Helper()
		if err := os.Rename(log, log+".away"); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(log, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	free := func() {
		t.Helper()
		if err := os.Remove(log); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(log+".away", log); err != nil {
			t.Fatal(err)
		}
	}
	said := func(text string) bool {
		b, _ := os.ReadFile(l.path("state/cells/alone/events.jsonl"))
		return strings.Contains(string(b), text)
	}

	block()
	kill()
	eventually(t, slow, "it is said that it cannot be started", func() bool { return said("cannot be started again yet") })
	free()
	eventually(t, slow, "it is there again", func() bool { return len(l.networks("alone")) == 1 })
	eventually(t, slow, "the audit passes", func() bool { return l.skep("audit", "alone").code == 0 })

	block()
	kill()
	eventually(t, slow, "it is given up", func() bool { return said("is not started again: it was tried 5 times") })
	free()
	if r := l.skep("audit", "alone"); r.code == 0 || !strings.Contains(r.out, "network-lan-uid") {
		t.Errorf("the audit does not fail\n%s", r)
	}
	if c := l.show("alone"); c.State != "running" {
		t.Errorf("the guest is %s", c.State)
	}
	l.must(0, "down", "alone")
	l.nothingLeft()
}
