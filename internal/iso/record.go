package iso

import (
	"encoding/binary"
	"time"
)

// both is a number as most of ECMA-119 has it: the little end first, and then the big end.
func both32(n uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, n), n)
}

func both16(n uint16) []byte {
	return binary.BigEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, n), n)
}

// stamp is a time in a directory's record: ECMA-119, 9.1.5.
func stamp(t time.Time) []byte {
	return []byte{byte(min(t.Year()-1900, 255)), byte(t.Month()), byte(t.Day()), byte(t.Hour()), byte(t.Minute()), byte(t.Second()), 0}
}

// records are those of a directory: itself, its parent, its children.
func (s system) records(d *node) [][]byte {
	all := [][]byte{s.record(d, []byte{0}), s.record(d.parent, []byte{1})}
	if s == standard && d.parent == d {
		all[0] = s.rootRecord(d)
	}
	for _, k := range s.sorted(d) {
		all = append(all, s.record(k, nil))
	}
	return all
}

// record is one record of a directory: ECMA-119, 9.1. As is given for a directory itself and its parent.
func (s system) record(n *node, as []byte) []byte {
	id := as
	if as == nil {
		id = s.identifier(n)
	}
	var use []byte
	if s == standard {
		use = n.systemUse(as == nil, len(id))
	}
	return s.recordWith(n, id, use)
}

func (s system) recordWith(n *node, id, use []byte) []byte {
	place, flags := n.in[s], byte(0)
	if n.dir {
		flags = 2
	}
	b := []byte{0, 0}
	b = append(b, both32(place.at)...)
	b = append(b, both32(uint32(place.size))...)
	b = append(b, stamp(n.time())...)
	b = append(b, flags, 0, 0)
	b = append(b, both16(1)...)
	b = append(b, byte(len(id)))
	b = append(b, id...)
	if len(b)%2 != 0 {
		b = append(b, 0)
	}
	b = append(b, use...)
	if len(b)%2 != 0 {
		b = append(b, 0)
	}
	b[0] = byte(len(b))
	return b
}

// Rock Ridge (IEEE P1282), in the system use area of a record (IEEE P1281). A record has 255 bytes at most, and
// an even number of them.
const (
	recordFixed = 33
	recordMax   = 254
	attrsSize   = 36 + 12 // PX and TF
	nameFixed   = 5
	ceSize      = 28
)

// fits says whether a name fits into its record.
func (n *node) fits(id int) bool {
	return recordFixed+id+(id+1)%2+attrsSize+nameFixed+len(n.name) <= recordMax
}

func (n *node) systemUse(named bool, id int) []byte {
	b := n.attributes()
	switch {
	case !named:
	case n.fits(id):
		b = append(b, nameEntry(n.name)...)
	default:
		b = append(b, ceEntry(n.long)...)
	}
	return b
}

// attributes are mode and owner (PX) and the time (TF).
func (n *node) attributes() []byte {
	mode, links := uint32(0o100444), uint32(1)
	switch {
	case n.dir:
		mode, links = 0o040555, 2
	case n.file.Exec:
		mode = 0o100555
	}
	b := []byte{'P', 'X', 36, 1}
	for _, v := range []uint32{mode, links, 0, 0} {
		b = append(b, both32(v)...)
	}
	const modified = 2
	b = append(b, 'T', 'F', 12, 1, modified)
	return append(b, stamp(n.time())...)
}

// nameEntry is NM: the name, in as many parts as it takes.
func nameEntry(name string) (b []byte) {
	const most, goesOn = 250, 1
	for len(name) > most {
		b = append(b, 'N', 'M', nameFixed+most, 1, goesOn)
		b = append(b, name[:most]...)
		name = name[most:]
	}
	b = append(b, 'N', 'M', byte(nameFixed+len(name)), 1, 0)
	return append(b, name...)
}

// ceEntry is CE: the rest of the area is elsewhere.
func ceEntry(c chunk) []byte {
	b := []byte{'C', 'E', ceSize, 1}
	for _, v := range []uint32{c.sector, c.offset, c.size} {
		b = append(b, both32(v)...)
	}
	return b
}

// rootRecord is the root's record of itself, which says that there is Rock Ridge (SP, and ER elsewhere).
func (s system) rootRecord(root *node) []byte {
	use := append([]byte{'S', 'P', 7, 1, 0xbe, 0xef, 0}, root.attributes()...)
	return s.recordWith(root, []byte{0}, append(use, ceEntry(root.long)...))
}

// reference is ER: which extension this is.
func reference() []byte {
	const id = "RRIP_1991A"
	const about = "THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS"
	const source = "SEE THE SPECIFICATION OF THAT NAME, IEEE P1282"
	b := []byte{'E', 'R', byte(8 + len(id) + len(about) + len(source)), 1, byte(len(id)), byte(len(about)), byte(len(source)), 1}
	return append(b, id+about+source...)
}

// continuations lays out what does not fit into the records of a directory. No part of it lies across the
// end of a sector, which is what Linux wants.
func (d *node) continuations(at uint32) {
	add := func(n *node, part []byte) {
		if left := sector - len(d.continued)%sector; len(part) > left {
			d.continued = append(d.continued, make([]byte, left)...)
		}
		offset := uint32(len(d.continued))
		n.long = chunk{at + offset/sector, offset % sector, uint32(len(part))}
		d.continued = append(d.continued, part...)
	}
	if d.parent == d {
		add(d, reference())
	}
	for _, k := range d.kids {
		if !k.fits(len(k.short)) {
			add(k, nameEntry(k.name))
		}
	}
}
