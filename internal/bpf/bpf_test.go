package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// packet is a frame as the kernel hands it over.
func packet(frame string) []byte {
	const head = 26
	b := make([]byte, head, head+len(frame))
	binary.LittleEndian.PutUint64(b, 7)
	binary.LittleEndian.PutUint64(b[8:], 5)
	binary.LittleEndian.PutUint32(b[headWhole:], uint32(len(frame)))
	binary.LittleEndian.PutUint32(b[headWhole+4:], uint32(len(frame)))
	binary.LittleEndian.PutUint16(b[headLength:], head)
	b = append(b, frame...)
	for len(b)%alignment != 0 {
		b = append(b, 0)
	}
	return b
}

// pair is a descriptor that hands over one buffer at a time, as bpf(4) does, and its other end.
func pair(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs = os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}

// Frames come one by one out of one buffer, with their times; the end comes when somebody says so.
func TestReader(t *testing.T) {
	ours, theirs := pair(t)
	until, hang, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Write(append(packet("a frame of some length"), packet("another")...)); err != nil {
		t.Fatal(err)
	}
	r := NewReader(theirs, until, 4096)
	for _, want := range []string{"a frame of some length", "another"} {
		frame, at, err := r.Next()
		if err != nil || string(frame) != want || at.Unix() != 7 || at.Nanosecond() != 5000 {
			t.Errorf("%q at %v, %v; want %q", frame, at, err, want)
		}
	}
	hang.Close()
	if _, _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

// A stream has the lengths in front, and sends what has such.
func TestStream(t *testing.T) {
	ours, theirs := pair(t)
	if _, err := ours.Write(packet("hello")); err != nil {
		t.Fatal(err)
	}
	s := NewStream(theirs, nil, 4096)
	b := make([]byte, 9)
	if _, err := io.ReadFull(s, b); err != nil || string(b) != "\x00\x00\x00\x05hello" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := s.Write([]byte("\x00\x00\x00\x02ab\x00\x00\x00\x03cde")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ab", "cde"} {
		n, err := ours.Read(b)
		if err != nil || string(b[:n]) != want {
			t.Errorf("%q, %v; want %q", b[:n], err, want)
		}
	}
	if _, err := s.Write([]byte("\x00\x00\x00\x09ab")); err == nil {
		t.Error("half a frame was sent")
	}
}

// Whatever a buffer holds, no byte beyond it is read.
func FuzzFirst(f *testing.F) {
	f.Add(packet("a frame"))
	f.Add(packet("")[:20])
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, _, size, ok := first(b)
		if ok && (size <= 0 || size > len(b) || len(frame) > size) {
			t.Errorf("a frame of %d bytes in %d of %d", len(frame), size, len(b))
		}
	})
}
