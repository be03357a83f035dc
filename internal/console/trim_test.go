package console

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A cut that is asked for while another is under way waits for it.
func TestTrimsFollowEachOther(t *testing.T) {
	const most = 1 << 20
	open := func(name string) *os.File {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, make([]byte, 2*most), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	slow, stuck, err := os.Pipe() // what it keeps is more than a pipe holds
	if err != nil {
		t.Fatal(err)
	}
	first, second := make(chan error, 1), make(chan error, 1)
	one, two := open("a"), open("b")
	go func() { first <- TrimFile(one, stuck, most); stuck.Close() }()
	if _, err := io.ReadFull(slow, make([]byte, 1)); err != nil { // it writes
		t.Fatal(err)
	}
	go func() { second <- TrimFile(two, two, most) }()
	select {
	case err := <-second:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if _, err := io.Copy(io.Discard, slow); err != nil {
		t.Error(err)
	}
	for _, c := range []chan error{first, second} {
		if err := <-c; err != nil {
			t.Error(err)
		}
	}
}
