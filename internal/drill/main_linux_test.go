package drill

import (
	"os"
	"testing"

	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/probe"
	"skep/internal/store"
	"skep/internal/worker"
)

// TestMain is also the program that the workers of these tests' cells are run in, as cmd/skep is.
func TestMain(m *testing.M) {
	worker.ServeIfAsked()
	os.Exit(m.Run())
}

// emulated is a drill of the built-in guest in directories of its own, with TCG.
func emulated(t *testing.T) *drill {
	t.Helper()
	dir := t.TempDir()
	dirs := host.Dirs{Config: dir + "/etc", State: dir + "/state", Run: dir + "/run"}
	facts, err := probe.Probe(t.Context(), probe.Options{Dirs: dirs})
	if err != nil {
		t.Fatal(err)
	}
	if facts.Linux.QEMU == nil {
		t.Skip("no QEMU here: " + facts.Linux.QEMUWhy)
	}
	st, err := store.Open(dirs)
	if err != nil {
		t.Fatal(err)
	}
	c := cell.Hello()
	c.Accel = cell.AccelTCG
	return &drill{Config: Config{Cell: c, Facts: facts, Store: st}}
}
