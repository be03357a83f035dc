package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/netjob"
)

// pair is a connection: ours does not block for good, theirs is handed over as it would be.
func pair(t testing.TB) (ours, theirs *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fds[0], true)
	}
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs = os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	t.Cleanup(func() { ours.Close() })
	return ours, theirs
}

// end is one switch of a test: its guest, and its record.
type end struct {
	t     testing.TB
	guest *os.File
	log   string
	done  chan error
}

// kept are files whose numbers a switch has taken over: they are not to be closed a second time.
var kept []map[string]*os.File

// start starts a switch with connections to others.
func start(t testing.TB, peers ...*os.File) *end {
	t.Helper()
	e := &end{t: t, log: filepath.Join(t.TempDir(), "log"), done: make(chan error, 1)}
	files := map[string]*os.File{}
	for _, name := range []string{netjob.FileLog, netjob.FileLogThen} {
		f, err := os.OpenFile(filepath.Join(filepath.Dir(e.log), name), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = f
	}
	e.guest, files[netjob.FileNIC] = pair(t)
	for i, p := range peers {
		files[netjob.FilePeer+string(rune('a'+i))] = p
	}
	kept = append(kept, files)
	go func() { e.done <- Run(`{"nic":"lan","host":"lab","log_max":65536,"memory":67108864}`, files) }()
	return e
}

func frame(to, from byte, text string) []byte {
	f := []byte{to, 1, 1, 1, 1, 1, from, 1, 1, 1, 1, 1, 0x88, 0xb5}
	f[0], f[6] = 2, 2
	f[5], f[11] = to, from
	return append(f, text...)
}

var everybody = bytes.Repeat([]byte{0xff}, 6)

func send(t testing.TB, f *os.File, frames ...[]byte) {
	t.Helper()
	for _, b := range frames {
		if _, err := f.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
			t.Fatal(err)
		}
	}
}

// next is the next frame that comes, or nothing.
func next(t testing.TB, f *os.File, wait time.Duration) string {
	t.Helper()
	_ = f.SetReadDeadline(time.Now().Add(wait))
	var head [4]byte
	if _, err := io.ReadFull(f, head[:]); errors.Is(err, os.ErrDeadlineExceeded) {
		return ""
	} else if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(f, b); err != nil {
		t.Fatal(err)
	}
	return string(b[14:])
}

const (
	soon = 20 * time.Second
	now  = 100 * time.Millisecond
)

// What a guest sends reaches the one that it is for once that has spoken, and until then all; what comes from one
// other goes to the guest and to no third.
func TestSwitch(t *testing.T) {
	b, toB := pair(t)
	c, toC := pair(t)
	e := start(t, toB, toC)
	all := frame(0, 1, "to all")
	copy(all, everybody)
	send(t, e.guest, all)
	for name, f := range map[string]*os.File{"b": b, "c": c} {
		if got := next(t, f, soon); got != "to all" {
			t.Errorf("%s has heard %q", name, got)
		}
	}
	send(t, b, frame(1, 2, "from b"))
	if got := next(t, e.guest, soon); got != "from b" {
		t.Errorf("the guest has heard %q", got)
	}
	send(t, e.guest, frame(2, 1, "to b"))
	if got := next(t, b, soon); got != "to b" {
		t.Errorf("b has heard %q", got)
	}
	if got := next(t, c, now); got != "" {
		t.Errorf("c has heard %q, which was for b or from it", got)
	}
	e.guest.Close()
	if err := <-e.done; err != nil {
		t.Error(err)
	}
}

// Whoever is at the other end of a connection can spoil that one, and nothing else: frames of no length and of every
// wrong one, one that is longer than any, a flood for a guest that reads nothing, and a peer that reads nothing.
func TestSwitchHostile(t *testing.T) {
	good, toGood := pair(t)
	short, toShort := pair(t)
	long, toLong := pair(t)
	mute, toMute := pair(t)
	e := start(t, toGood, toShort, toLong, toMute)
	for n := range 14 {
		send(t, short, make([]byte, n))
		send(t, e.guest, make([]byte, n))
	}
	if _, err := long.Write([]byte{0xff, 0xff, 0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	if _, err := long.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a frame longer than any does not end the connection: %v", err)
	}
	// 256 MiB for one that reads none of it, and for all.
	jumbo := frame(9, 1, strings.Repeat("j", 64<<10))
	copy(jumbo, everybody)
	stop := make(chan struct{})
	defer close(stop)
	go func() { // one that reads
		b := make([]byte, 1<<20)
		for {
			if _, err := good.Read(b); err != nil {
				return
			}
		}
	}()
	for range 4096 {
		send(t, e.guest, jumbo)
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 64<<20 {
		t.Errorf("%d MiB are kept for a peer that reads nothing", m.HeapAlloc>>20)
	}
	send(t, good, frame(1, 2, "still here"))
	for got := ""; got != "still here"; {
		if got = next(t, e.guest, soon); got == "" {
			t.Fatal("the guest hears nobody any more")
		}
	}
	e.guest.Close()
	if err := <-e.done; err != nil {
		t.Error(err)
	}
	runtime.KeepAlive(mute)
}
