package sink

import (
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"skep/internal/netjob"
)

// sum is the checksum of the Internet.
func sum(b []byte, start uint32) uint16 {
	for i := 0; i+1 < len(b); i += 2 {
		start += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for start > 0xffff {
		start = start>>16 + start&0xffff
	}
	return ^uint16(start)
}

// syn is a frame that begins a connection, from a port of the guest's.
func syn(from, to uint16) []byte {
	f := append([]byte{0x52, 0x55, 0x0a, 0x12, 0, 1, 2, 0, 0, 0, 0, 1}, 8, 0)
	ip := []byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 18, 0, 15, 198, 18, 9, 9}
	binary.BigEndian.PutUint16(ip[10:], sum(ip, 0))
	tcp := make([]byte, 20)
	binary.BigEndian.PutUint16(tcp, from)
	binary.BigEndian.PutUint16(tcp[2:], to)
	tcp[4], tcp[12], tcp[13], tcp[14] = byte(from), 5<<4, 2, 0xff
	pseudo := uint32(6 + 20)
	for i := 12; i < 20; i += 2 {
		pseudo += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	binary.BigEndian.PutUint16(tcp[16:], sum(tcp, pseudo))
	return append(append(f, ip...), tcp...)
}

// heap is how many bytes are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// keptAtMost fails where more MiB than that are in use beyond what was before.
func keptAtMost(t *testing.T, before, most int64) {
	t.Helper()
	if grown := heap() - before; grown > most<<20 {
		t.Errorf("%d MiB are kept", grown>>20)
	}
}

// servedAfter fails where the guest is not served any more.
func servedAfter(t *testing.T, x fixture) {
	t.Helper()
	c := x.dial(x.address("after.example") + ":80")
	fmt.Fprint(c, "GET / HTTP/1.0\r\n\r\n")
	if b, err := io.ReadAll(c); err != nil || !strings.Contains(string(b), "200 OK") {
		t.Errorf("%q, %v", b, err)
	}
}

// Half-open connections by the ten thousand cost bounded memory, and names are answered meanwhile.
func TestHalfOpen(t *testing.T) {
	x := begin(t, netjob.Sinkhole{}, nil)
	x.Lease()
	before := heap()
	for i := range 20_000 {
		if err := x.Frame(syn(uint16(1024+i), uint16(1000+i/16))); err != nil {
			t.Fatal(err)
		}
	}
	keptAtMost(t, before, 128)
	servedAfter(t, x)
}

// udp is a datagram of the guest's, without a checksum, to a port of somebody's.
func udp(from, to uint16) []byte {
	f := append([]byte{0x52, 0x55, 0x0a, 0x12, 0, 1, 2, 0, 0, 0, 0, 1}, 8, 0)
	ip := []byte{0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 18, 0, 15, 198, 18, 9, byte(to)}
	binary.BigEndian.PutUint16(ip[10:], sum(ip, 0))
	d := []byte{0, 0, 0, 0, 0, 12, 0, 0, 'f', 'l', 'o', 'o'}
	binary.BigEndian.PutUint16(d, from)
	binary.BigEndian.PutUint16(d[2:], to)
	return append(append(f, ip...), d...)
}

// A million frames, each of a kind and an address of its own, cost bounded memory, and the guest is served after them.
func TestMillionFrames(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n /= 20
	}
	x := begin(t, netjob.Sinkhole{}, nil)
	x.Lease()
	before := heap()
	began := time.Now()
	for i := range n {
		frame := udp(uint16(i/7), uint16(i))
		switch i % 8 {
		case 5:
			frame = syn(uint16(i/7), uint16(i/64))
		case 6:
			frame[12], frame[13] = 8, 6 // an ARP that is none
		case 7:
			frame = frame[:i%len(frame)]
		}
		if err := x.Frame(frame); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%.0f frames a second", float64(n)/time.Since(began).Seconds())
	keptAtMost(t, before, 128)
	servedAfter(t, x)
}

// Names that are asked for by the ten thousand cost bounded memory: of the table, and of the record.
func TestManyQuestions(t *testing.T) {
	const n = 20_000
	x := begin(t, netjob.Sinkhole{}, nil)
	x.Lease()
	before := heap()
	for i := range n {
		if x.address(fmt.Sprintf("n%d.%s.example", i, strings.Repeat("x", 50))) == "" {
			t.Fatalf("question %d has no answer", i)
		}
	}
	keptAtMost(t, before, 64)
}

// BenchmarkConnections is how many connections a guest makes, sixteen at once, each asked and answered. Guest and
// sinkhole share the processor.
func BenchmarkConnections(b *testing.B) {
	x := begin(b, netjob.Sinkhole{}, nil)
	x.Lease()
	at := x.address("bench.example")
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			c, err := x.Dial(at + ":80")
			if err != nil {
				b.Error(err)
				return
			}
			fmt.Fprint(c, "GET / HTTP/1.0\r\n\r\n")
			if _, err := io.ReadAll(c); err != nil {
				b.Error(err)
			}
			c.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "connections/s")
}
