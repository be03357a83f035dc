package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skep/internal/layout"
)

// What is written of snapshots is read again, a cell without any has an empty list, and half a file is an error
// and no empty list: what was begun would be forgotten.
func TestSnapshots(t *testing.T) {
	s := lab(t)
	all, err := s.Snapshots("web")
	if err != nil || len(all.All) != 0 || all.Version != 1 {
		t.Fatalf("of a cell without any: %+v, %v", all, err)
	}
	all.All = append(all.All, Snapshot{Tag: "clean", Time: time.Unix(1_800_000_000, 0).UTC(), Memory: true, Disks: []string{"root"}, Board: "b"})
	all.Making = "next"
	if err := s.WriteSnapshots("web", all); err != nil {
		t.Fatal(err)
	}
	again, err := s.Snapshots("web")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(all, again); d != "" {
		t.Error(d)
	}
	if one, ok := again.Find("clean"); !ok || one.Board != "b" {
		t.Errorf("clean: %+v, %v", one, ok)
	}
	if _, ok := again.Find("next"); ok {
		t.Error("what was only begun is found")
	}
	path := filepath.Join(s.StateDir("web"), layout.Snapshots)
	if err := os.WriteFile(path, []byte(`{"snapshots": [`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Snapshots("web"); err == nil {
		t.Error("half a list was read")
	}
}

// Whoever comes second waits until the first lets go.
func TestLockSnapshots(t *testing.T) {
	s := lab(t)
	if err := s.MakeStateDir("web"); err != nil {
		t.Fatal(err)
	}
	first, err := s.LockSnapshots("web")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	released := make(chan struct{})
	go func() {
		second, err := s.LockSnapshots("web")
		select {
		case <-released:
		default:
			t.Error("two have the lock")
		}
		if err == nil {
			second.Unlock()
		}
		got <- err
	}()
	time.Sleep(20 * time.Millisecond)
	close(released)
	first.Unlock()
	if err := <-got; err != nil {
		t.Error(err)
	}
}
