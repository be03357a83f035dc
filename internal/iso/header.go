package iso

import (
	"encoding/binary"
	"slices"
	"strings"
)

// header writes all that comes before the files.
func (im *image) header(out *counter) {
	_, _ = out.Write(make([]byte, primaryAt*sector))
	_, _ = out.Write(im.descriptor(standard))
	_, _ = out.Write(im.descriptor(joliet))
	terminator := make([]byte, sector)
	copy(terminator, "\xffCD001\x01")
	_, _ = out.Write(terminator)
	for _, s := range []system{standard, joliet} {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			_, _ = out.Write(im.pathTable(s, order))
			out.pad()
		}
	}
	for _, s := range []system{standard, joliet} {
		for _, d := range im.dirs[s] {
			for _, r := range s.records(d) {
				if left := sector - out.at%sector; int64(len(r)) > left {
					out.pad()
				}
				_, _ = out.Write(r)
			}
			out.pad()
			if s == standard {
				_, _ = out.Write(d.continued)
				out.pad()
			}
		}
	}
}

// pathTable is ECMA-119's 9.4: each directory, where it is and whose it is.
func (im *image) pathTable(s system, order binary.AppendByteOrder) (b []byte) {
	for _, d := range im.dirs[s] {
		id := s.identifier(d)
		if d.parent == d {
			id = []byte{0}
		}
		b = append(b, byte(len(id)), 0)
		b = order.AppendUint32(b, d.in[s].at)
		b = order.AppendUint16(b, uint16(min(d.parent.in[s].number, 0xffff)))
		b = append(b, id...)
		if len(id)%2 != 0 {
			b = append(b, 0)
		}
	}
	return b
}

func (im *image) pathTableSize(s system) int64 {
	return int64(len(im.pathTable(s, binary.LittleEndian)))
}

// descriptor is a volume descriptor: ECMA-119, 8.4 and 8.5.
func (im *image) descriptor(s system) []byte {
	b := make([]byte, sector)
	put := func(at int, what []byte) { copy(b[at:], what) }
	text := func(at, size int, what string) { put(at, s.text(what, size)) }
	put(0, []byte("\x01CD001\x01"))
	if s == joliet {
		b[0] = 2
		put(88, []byte("%/E")) // UCS-2, level 3
	}
	text(8, 32, "")
	text(40, 32, im.volume)
	put(80, both32(im.end))
	put(120, both16(1))
	put(124, both16(1))
	put(128, both16(sector))
	put(132, both32(im.tables[s].size))
	binary.LittleEndian.PutUint32(b[140:], im.tables[s].little)
	binary.BigEndian.PutUint32(b[148:], im.tables[s].big)
	put(156, s.recordWith(im.root, []byte{0}, nil))
	for _, field := range []struct{ at, size int }{
		{190, 128}, {318, 128}, {446, 128}, {574, 128}, {702, 37}, {739, 37}, {776, 37},
	} {
		text(field.at, field.size, "")
	}
	// Times of the volume: none is said, so that the same files make the same image.
	for at := 813; at < 881; at += 17 {
		put(at, []byte(strings.Repeat("0", 16)))
	}
	b[881] = 1
	return b
}

// text is text in a field of so many bytes, with blanks behind it.
func (s system) text(what string, size int) []byte {
	if s == joliet {
		blank := utf16BE(what + strings.Repeat(" ", size))
		return append(slices.Clone(blank[:size/2*2]), make([]byte, size%2)...)
	}
	return []byte(what + strings.Repeat(" ", size))[:size]
}
