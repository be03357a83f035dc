// Package kinfo reads what FreeBSD's kernel says of a process.
//
// The structures of sys/sys/user.h are parsed here from bytes, without a
// system call, so that they are tested, and fuzzed, on any machine; asking the
// kernel for the bytes is in the files of FreeBSD. Layouts are those of 64-bit
// little-endian machines, frozen since FreeBSD 12: every structure says its own
// size, and what is shorter than a field is an error and never read past.
package kinfo

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// maxRecords bounds a list: a process may have 4 million mappings, a bhyve has
// some hundreds of them and some dozens of descriptors.
const maxRecords = 1 << 17

// record is one structure of the kernel's, read by offsets.
type record []byte

func (r record) u16(at int) uint16 { return binary.LittleEndian.Uint16(r[at:]) }
func (r record) u32(at int) uint32 { return binary.LittleEndian.Uint32(r[at:]) }
func (r record) u64(at int) uint64 { return binary.LittleEndian.Uint64(r[at:]) }
func (r record) int(at int) int    { return int(int32(r.u32(at))) }

// text is a C string in a field of a size, or up to the record's end.
func (r record) text(from, to int) string {
	s, _, _ := bytes.Cut(r[from:min(to, len(r))], []byte{0})
	return string(s)
}

// records cuts what the kernel wrote into structures that begin with their own
// size, as kern.proc.filedesc and kern.proc.vmmap do, and hands each to take.
// A size of 0 is the end (kinfo_getfile in lib/libutil).
func records(b []byte, least int, what string, take func(record)) error {
	for n := 0; len(b) >= 4; n++ {
		size := int(binary.LittleEndian.Uint32(b))
		switch {
		case size == 0:
			return nil
		case size < least || size > len(b):
			return fmt.Errorf("a %s of the kernel's says it has %d bytes; %d are left and %d are the least", what, size, len(b), least)
		case n >= maxRecords:
			return fmt.Errorf("the kernel lists more than %d of %s", maxRecords, what)
		}
		take(record(b[:size]))
		b = b[size:]
	}
	return nil
}
