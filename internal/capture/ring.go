// Package capture writes the frames of a guest's network card to files that wireshark reads (pcapng), from the
// first one on, within a bound: two files, of which the older one is begun anew when the other is full. It
// runs in a jail, on files that are open.
package capture

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// File is one of the two.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Stat() (os.FileInfo, error)
}

// Bounds of what is kept in memory.
const (
	maxKeys  = 256 << 10
	maxNotes = 4096
	// overhead is more than a frame needs beside its bytes and its comments.
	overhead = 96
	flushing = 100 * time.Millisecond
	retry    = time.Second
)

// A Ring is the two files.
type Ring struct {
	files     [2]File
	most      int64
	cell, nic string

	mu       sync.Mutex
	now      int
	part     uint64 // which one in a row the file that is written is
	good     int64  // what is whole of the file that is written
	at       int64
	w        *pcapgo.NgWriter
	waiting  int64 // bytes that are not in the file yet, at most
	frames   uint64
	unsaved  uint64 // frames that are not in the file yet
	lost     uint64
	failedAt time.Time
	keys     []byte
	notes    map[string]string
	begun    time.Time
	closed   bool
}

// New goes on with what the files hold. Of a block that is not whole nothing is kept.
func New(cell, nic string, one, two File, most int64) (*Ring, error) {
	r := &Ring{files: [2]File{one, two}, most: most, cell: cell, nic: nic, notes: map[string]string{}, begun: time.Now()}
	part0, part1 := partOf(one), partOf(two)
	if part1 > part0 {
		r.now = 1
	}
	r.part = max(part0, part1, 1)
	whole, err := wholeOf(r.files[r.now])
	if err != nil {
		return nil, err
	}
	if err := r.files[r.now].Truncate(whole); err != nil {
		return nil, err
	}
	r.at, r.good = whole, whole
	r.mu.Lock()
	defer r.mu.Unlock()
	if whole+64<<10 > most {
		err = r.turn()
	} else {
		err = r.section()
	}
	if err != nil {
		r.fail()
	}
	go r.flushNowAndThen()
	return r, nil
}

// Write is io.Writer's, for what makes the blocks.
func (r *Ring) Write(b []byte) (int, error) {
	n, err := r.files[r.now].WriteAt(b, r.at)
	r.at += int64(n)
	return n, err
}

// section begins a section: each life of a guest and each file has its own.
func (r *Ring) section() error {
	info := pcapgo.NgSectionInfo{Application: "skep", Comment: fmt.Sprintf(partComment+", cell %s, network card %s", r.part, r.cell, r.nic)}
	if r.frames > 0 || r.lost > 0 {
		info.Comment += fmt.Sprintf("; %d frames came before this section, %d were lost", r.frames, r.lost)
	}
	var err error
	r.w, err = pcapgo.NewNgWriterInterface(r, pcapgo.NgInterface{Name: r.nic, LinkType: layers.LinkTypeEthernet, TimestampResolution: 9,
		Comment: "inbound is what the guest is sent, outbound what it sends"}, pcapgo.NgWriterOptions{SectionInfo: info})
	if err == nil && len(r.keys) > 0 {
		err = r.w.WriteDecryptionSecretsBlock(pcapgo.DSB_SECRETS_TYPE_TLS, r.keys)
	}
	if err == nil {
		err = r.flush()
	}
	return err
}

// turn begins the other file anew.
func (r *Ring) turn() error {
	if r.w != nil {
		if err := r.flush(); err != nil {
			return err
		}
	}
	r.now = 1 - r.now
	r.part++
	r.at, r.good, r.w = 0, 0, nil
	if err := r.files[r.now].Truncate(0); err != nil {
		return err
	}
	return r.section()
}

func (r *Ring) flush() error {
	if err := r.w.Flush(); err != nil {
		return err
	}
	r.good, r.waiting, r.unsaved = r.at, 0, 0
	return nil
}

// fail takes back what is not whole. Somebody may make room.
func (r *Ring) fail() {
	_ = r.files[r.now].Truncate(r.good)
	r.at, r.w, r.failedAt = r.good, nil, time.Now()
	r.lost += r.unsaved
	r.unsaved, r.waiting = 0, 0
}

// ready says whether there is a section to write to.
func (r *Ring) ready() bool {
	if r.closed {
		return false
	}
	if r.w != nil {
		return true
	}
	if time.Since(r.failedAt) < retry {
		return false
	}
	if err := r.section(); err != nil {
		r.fail()
		return false
	}
	return true
}

// Frame writes one. inbound is one for the guest.
func (r *Ring) Frame(inbound bool, frame []byte, comments ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.frames++
	if !r.ready() {
		r.lost++
		return
	}
	if key := flowOf(frame); key != "" {
		if note, ok := r.notes[key]; ok {
			comments = append(comments, note)
			delete(r.notes, key)
		}
	}
	size := int64(len(frame)) + overhead
	for _, c := range comments {
		size += int64(len(c)) + 8
	}
	if r.at+r.waiting+size > r.most {
		if err := r.turn(); err != nil {
			r.fail()
			r.lost++
			return
		}
	}
	flags := pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionOutbound}
	if inbound {
		flags.Direction = pcapgo.NgEpbFlagDirectionInbound
	}
	err := r.w.WritePacketWithOptions(gopacket.CaptureInfo{Timestamp: now, CaptureLength: len(frame), Length: len(frame)}, frame,
		pcapgo.NgPacketOptions{Comments: comments, Flags: &flags})
	r.unsaved++
	r.waiting += size
	if err != nil {
		r.fail()
	}
}

// Note has the next frame of a connection carry a comment: what became known of it meanwhile.
func (r *Ring) Note(flow, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.notes) < maxNotes && flow != "" {
		r.notes[flow] = text
	}
}

// Keys writes lines of a TLS key log, which decrypt what comes after them.
func (r *Ring) Keys(lines []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.keys)+len(lines) > maxKeys {
		r.keys = r.keys[:0]
	}
	r.keys = append(r.keys, lines...)
	if !r.ready() {
		return
	}
	r.waiting += int64(len(lines)) + overhead
	if err := r.w.WriteDecryptionSecretsBlock(pcapgo.DSB_SECRETS_TYPE_TLS, lines); err != nil {
		r.fail()
	}
}

// Lost adds frames that somebody before has lost.
func (r *Ring) Lost(n uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frames += n
	r.lost += n
}

// Close writes how many frames there were.
func (r *Ring) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.w == nil {
		r.closed = true
		return nil
	}
	r.closed = true
	now := time.Now()
	err := r.w.WriteInterfaceStats(0, pcapgo.NgInterfaceStatistics{LastUpdate: now, StartTime: r.begun, EndTime: now,
		PacketsReceived: r.frames, PacketsDropped: r.lost})
	if err == nil {
		err = r.flush()
	}
	return err
}

func (r *Ring) flushNowAndThen() {
	for {
		time.Sleep(flushing)
		r.mu.Lock()
		if r.closed {
			r.mu.Unlock()
			return
		}
		if r.w != nil && r.waiting > 0 {
			if err := r.flush(); err != nil {
				r.fail()
			}
		}
		r.mu.Unlock()
	}
}

// Flow names a connection, for Note: whom its next frame is for, and whom it is from.
func Flow(to, from fmt.Stringer) string { return to.String() + " " + from.String() }

// flowOf names the connection that a frame of TCP over IPv4 belongs to: whom it is for first.
func flowOf(frame []byte) string {
	const ethernet, least = 14, 14 + 20 + 20
	if len(frame) < least || binary.BigEndian.Uint16(frame[12:]) != 0x0800 {
		return ""
	}
	ip := frame[ethernet:]
	head := int(ip[0]&15) * 4
	if ip[0]>>4 != 4 || head < 20 || ip[9] != 6 || len(ip) < head+4 {
		return ""
	}
	end := func(a []byte, p []byte) string {
		return fmt.Sprintf("%d.%d.%d.%d:%d", a[0], a[1], a[2], a[3], binary.BigEndian.Uint16(p))
	}
	return end(ip[16:20], ip[head+2:]) + " " + end(ip[12:16], ip[head:])
}
