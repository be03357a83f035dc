package capture

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
)

func open(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// packet is a frame of TCP with a number in it.
func packet(n uint32, size int) []byte {
	f := make([]byte, 14+20+20+size)
	copy(f, []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 18, 0, 15, 198, 18, 1, 0, 0x9c, 0x40, 1, 187})
	binary.BigEndian.PutUint16(f[16:], uint16(40+size))
	binary.BigEndian.PutUint32(f[38:], n) // the sequence number
	f[46] = 0x50
	return f
}

// numbers are those of the frames in a capture, in order.
func numbers(t *testing.T, b []byte) (all []uint32) {
	t.Helper()
	r, err := pcapgo.NewNgReader(bytes.NewReader(b), pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, _, err := r.ReadPacketData()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, binary.BigEndian.Uint32(data[38:]))
	}
}

func all(t *testing.T, dir string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Copy(&out, open(t, dir+"/0"), open(t, dir+"/1")); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The newest frames are there without a gap, the files are bounded, and a writer that was killed in the middle
// of a block is gone on after.
func TestRing(t *testing.T) {
	dir := t.TempDir()
	const most = 256 << 10
	last := uint32(0)
	for range 3 {
		r, err := New("lab", "lan", open(t, dir+"/0"), open(t, dir+"/1"), most)
		if err != nil {
			t.Fatal(err)
		}
		for range 400 {
			last++
			r.Frame(last%2 == 0, packet(last, 1000))
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		f := open(t, filepath.Join(dir, []string{"0", "1"}[r.now]))
		info, _ := f.Stat()
		if info.Size() > most {
			t.Errorf("%d bytes", info.Size())
		}
		// What a file system that notes times late could say.
		for _, name := range []string{"/0", "/1"} {
			if err := os.Chtimes(dir+name, time.Time{}, time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = f.WriteAt([]byte{6, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 2, 3}, info.Size())
	}
	got := numbers(t, all(t, dir))
	const least = (most - 64<<10) / (1054 + overhead) // of a file that a start leaves for the other one
	if len(got) < least || got[len(got)-1] != last {
		t.Fatalf("%d frames, the last is %d of %d", len(got), got[len(got)-1], last)
	}
	for i := range got[1:] {
		if got[i+1] != got[i]+1 {
			t.Fatalf("%d comes after %d", got[i+1], got[i])
		}
	}
}

// full fails as a disk without room does.
type full struct {
	*os.File
	room int64
}

func (f *full) WriteAt(b []byte, at int64) (int, error) {
	if over := at + int64(len(b)) - f.room; over > 0 {
		n, _ := f.File.WriteAt(b[:max(0, int64(len(b))-over)], at)
		return n, os.ErrDeadlineExceeded
	}
	return f.File.WriteAt(b, at)
}

// A disk that is full loses frames, which are counted, and the file stays one.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	one := &full{open(t, dir+"/0"), 20 << 10}
	r, err := New("lab", "lan", one, open(t, dir+"/1"), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		r.Frame(false, packet(uint32(i), 1000))
	}
	r.mu.Lock()
	lost := r.lost
	one.room, r.failedAt = 1<<20, r.failedAt.Add(-retry)
	r.mu.Unlock()
	r.Frame(false, packet(100, 1000))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	got := numbers(t, all(t, dir))
	if lost == 0 || len(got) != 101-int(lost) || got[len(got)-1] != 100 {
		t.Errorf("%d lost, %d there", lost, len(got))
	}
}

// tshark reads it, with comments, direction and keys.
func TestTshark(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	dir := t.TempDir()
	r, err := New("lab", "lan", open(t, dir+"/0"), open(t, dir+"/1"), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	src, dst := netip.MustParseAddrPort("10.18.0.15:40000"), netip.MustParseAddrPort("198.18.1.0:443")
	r.Frame(false, packet(1, 10), "to one.example")
	r.Note(Flow(dst, src), "a note")
	r.Keys([]byte("CLIENT_RANDOM " + strings.Repeat("00", 32) + " " + strings.Repeat("00", 48) + "\n"))
	r.Frame(false, packet(2, 11))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "all.pcapng")
	if err := os.WriteFile(path, all(t, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tshark, "-r", path, "-T", "fields", "-e", "frame.comment", "-e", "frame.packet_flags_direction", "-e", "tcp.len").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "to one.example\t") || !strings.Contains(string(out), "a note\t") {
		t.Errorf("%v\n%s", err, out)
	}
}
