package cli

import (
	"errors"
	"path/filepath"
	"testing"

	"skep/internal/background"
	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/layout"
	"skep/internal/store"
	"skep/internal/unixsock"
)

// A cell that ends while it is taken is no cell of the pool any more: the next one is tried.
func TestTakeOneThatEnds(t *testing.T) {
	dir := t.TempDir()
	st, err := store.Open(host.Dirs{Run: filepath.Join(dir, "run"), State: filepath.Join(dir, "state"), Config: filepath.Join(dir, "config")})
	if err != nil {
		t.Fatal(err)
	}
	const name = "lab@1"
	if err := errors.Join(st.MakeRunDir(name),
		st.WriteState(store.State{Name: name, State: store.Paused, Suspended: background.PoolWho + "lab"})); err != nil {
		t.Fatal(err)
	}
	take := func() error {
		t.Helper()
		got, err := new(app).takeOne(t.Context(), st, name, cell.Pool{Label: "lab"})
		if err == nil {
			t.Errorf("%s is taken", got.name)
		}
		return err
	}
	if err := take(); errors.Is(err, errNoneReady) {
		t.Errorf("without a console: %v", err)
	}
	l, err := unixsock.Listen(filepath.Join(st.RunDir(name), layout.Socket(layout.Console)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := take(); errors.Is(err, errNoneReady) {
		t.Errorf("without a keeper: %v", err)
	}
	lock, err := st.LockConsole(name)
	if err != nil {
		t.Fatalf("its console is locked still: %v", err)
	}
	lock.Unlock()
}
