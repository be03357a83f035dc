//go:build linux

package memdump_test

import (
	"context"
	"debug/elf"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"bytes"

	"skep/internal/memdump"
	"skep/internal/qmp"
)

// What comes of QEMU's stream is the memory that QEMU's own dump of the same standing guest has.
func TestAsQEMUDumps(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: no QEMU")
	}
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("no qemu-system-x86_64 here")
	}
	dir, err := os.MkdirTemp("", "dump") // sun_path is short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	cmd := exec.Command(qemu, "-nodefaults", "-no-user-config", "-machine", "q35", "-accel", "tcg", "-m", "64M", "-vga", "std", "-display", "none",
		"-qmp", "unix:"+socket+",server=on,wait=off")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var q *qmp.Client
	for ; q == nil && ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		if conn, err := net.Dial("unix", socket); err == nil {
			if q, err = qmp.New(ctx, conn); err != nil {
				t.Fatal(err)
			}
		}
	}
	time.Sleep(time.Second) // so that SeaBIOS has written something
	if err := q.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(dir, "own")
	if err := q.Execute(ctx, "dump-guest-memory", map[string]any{"paging": false, "protocol": "file:" + own}, nil); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w.Fd() // which makes it block
	dumped := make(chan error, 1)
	go func() { dumped <- q.Dump(ctx, w, false); w.Close() }()
	to, err := os.Create(filepath.Join(dir, "ours"))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	report, err := memdump.Make(to, r, memdump.Job{Format: memdump.ELF, Memory: 64 << 20})
	if derr := <-dumped; err != nil || derr != nil {
		t.Fatal(err, derr)
	}
	theirs, ours := loads(t, own), loads(t, to.Name())
	if len(theirs) == 0 || len(theirs) != len(ours) || report.Written == 0 {
		t.Fatalf("%d ranges, QEMU has %d; %+v", len(ours), len(theirs), report)
	}
	for at, b := range theirs {
		if !bytes.Equal(b, ours[at]) {
			t.Errorf("%#x: %d bytes, QEMU has %d, or other ones", at, len(ours[at]), len(b))
		}
	}
}

func loads(t *testing.T, path string) map[uint64][]byte {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[uint64][]byte{}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Filesz > 0 {
			b, err := io.ReadAll(p.Open())
			if err != nil {
				t.Fatal(err)
			}
			all[p.Paddr] = b
		}
	}
	return all
}
