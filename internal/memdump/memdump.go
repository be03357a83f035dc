// Package memdump makes a file of a guest's memory out of the ELF stream that a hypervisor writes: ELF of 64
// bits with headers of its own, or raw, with each byte at its physical address. Pages of zeros are holes.
//
// The stream is hostile: it comes from a hypervisor that the guest may have taken over. It is read in a
// jail, once and forwards; sizes and addresses are bounded before anything is written.
package memdump

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Formats of the file.
const (
	ELF   = "elf"
	Raw   = "raw"
	Kdump = "kdump" // as the hypervisor writes it
)

// Formats are all of them.
func Formats() []string { return []string{ELF, Raw, Kdump} }

// Job is what is to be made of a stream, and its bounds.
type Job struct {
	Format string
	// Memory is what the guest has. Data of devices, such as a screen's, comes on top of it.
	Memory int64
}

// Bounds of a stream besides the guest's memory.
const (
	maxDevices  = 1 << 30 // memory of devices
	maxSegments = 4096
	maxNotes    = 16 << 20
	maxHeader   = 1 << 20
	fourGiB     = 1 << 32
	page        = 4096
)

// MaxFile is how large a file can become.
func (j Job) MaxFile() int64 {
	if j.Format == Raw {
		return j.Memory + fourGiB + maxDevices
	}
	return j.Memory + maxDevices + maxNotes + maxHeader
}

// Range is a part of the guest's physical addresses.
type Range struct {
	From int64 `json:"from"`
	Size int64 `json:"size"`
}

// Report is what was made.
type Report struct {
	Bits    int     `json:"bits"`              // of the ELF that the hypervisor wrote, 0 for kdump
	Bytes   int64   `json:"bytes"`             // of guest memory
	Written int64   `json:"written"`           // of those, which are not in pages of zeros
	Size    int64   `json:"size"`              // of the file
	Ranges  []Range `json:"ranges,omitempty"`  // that are in it
	Missing []Range `json:"missing,omitempty"` // between those
	// Left are ranges that a raw file has no room for: memory of devices at high addresses.
	Left  []Range `json:"left,omitempty"`
	Notes bool    `json:"notes"` // the registers of the processors are in it
}

// File is what a dump is written to: it is empty, and can have holes.
type File interface {
	io.WriterAt
	Truncate(size int64) error
}

// errShort is a stream that ends before it should.
var errShort = errors.New("the hypervisor's dump ends early")

// Make writes the file.
func Make(to File, from io.Reader, j Job) (Report, error) {
	s := &stream{r: from}
	if j.Format == Kdump {
		n, err := s.copyTo(to, 0, j.MaxFile(), true)
		if err == nil && n == 0 {
			err = errShort
		}
		return Report{Bytes: n, Written: n, Size: n}, errors.Join(err, to.Truncate(n))
	}
	h, err := s.header()
	if err != nil {
		return Report{}, err
	}
	if err := h.check(j); err != nil {
		return Report{}, err
	}
	if j.Format == Raw {
		return h.raw(to, s, j)
	}
	return h.elf64(to, s)
}

// segment is what a program header says.
type segment struct {
	at, size int64 // in the stream
	addr     int64
}

type header struct {
	bits    int
	machine uint16
	notes   segment
	loads   []segment
}

// header reads as far as the last program header.
func (s *stream) header() (*header, error) {
	var ident [elf.EI_NIDENT]byte
	if err := s.full(ident[:]); err != nil {
		return nil, err
	}
	if string(ident[:4]) != elf.ELFMAG || elf.Data(ident[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return nil, errors.New("the hypervisor's dump is no ELF file")
	}
	h := &header{}
	var phoff int64
	var entry, count int
	switch elf.Class(ident[elf.EI_CLASS]) {
	case elf.ELFCLASS64:
		var e elf.Header64
		if err := s.decode(ident[:], &e); err != nil {
			return nil, err
		}
		h.bits, h.machine, phoff, entry, count = 64, e.Machine, int64(e.Phoff), int(e.Phentsize), int(e.Phnum)
	case elf.ELFCLASS32:
		var e elf.Header32
		if err := s.decode(ident[:], &e); err != nil {
			return nil, err
		}
		h.bits, h.machine, phoff, entry, count = 32, e.Machine, int64(e.Phoff), int(e.Phentsize), int(e.Phnum)
	default:
		return nil, errors.New("the hypervisor's dump is of no known kind")
	}
	want := map[int]int{32: 32, 64: 56}[h.bits]
	if count < 1 || count > maxSegments || entry != want || phoff < s.at || phoff > maxHeader {
		return nil, errors.New("the header of the hypervisor's dump is not valid")
	}
	if err := s.skipTo(phoff); err != nil {
		return nil, err
	}
	for range count {
		if err := h.program(s); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// program reads one program header.
func (h *header) program(s *stream) error {
	var kind elf.ProgType
	var seg segment
	var memory uint64
	if h.bits == 64 {
		var p elf.Prog64
		if err := s.decode(nil, &p); err != nil {
			return err
		}
		if p.Off>>62 != 0 || p.Filesz>>62 != 0 || p.Paddr>>62 != 0 {
			return errors.New("the hypervisor's dump has an address that no machine has")
		}
		kind, seg, memory = elf.ProgType(p.Type), segment{int64(p.Off), int64(p.Filesz), int64(p.Paddr)}, p.Memsz
	} else {
		var p elf.Prog32
		if err := s.decode(nil, &p); err != nil {
			return err
		}
		kind, seg, memory = elf.ProgType(p.Type), segment{int64(p.Off), int64(p.Filesz), int64(p.Paddr)}, uint64(p.Memsz)
	}
	switch {
	case kind == elf.PT_NOTE && h.notes.size == 0:
		h.notes = seg
	case kind == elf.PT_LOAD && seg.size > 0 && memory == uint64(seg.size):
		h.loads = append(h.loads, seg)
	case kind == elf.PT_LOAD && seg.size == 0: // a part of a range that is elsewhere
	default:
		return errors.New("the hypervisor's dump has a part of an unknown kind")
	}
	return nil
}

// check sees that all parts lie one after the other in the stream and at addresses of their own, and that
// together they are no more than a guest has.
func (h *header) check(j Job) error {
	at, addr, total := int64(0), int64(0), int64(0)
	if h.notes.size > maxNotes || h.notes.at > maxHeader {
		return errors.New("the notes of the hypervisor's dump are too long")
	}
	if len(h.loads) > 0 && h.notes.size > 0 && h.loads[0].at < h.notes.at+h.notes.size {
		return errors.New("the parts of the hypervisor's dump are in no order")
	}
	for _, l := range h.loads {
		if l.at < at || l.addr < addr {
			return errors.New("the parts of the hypervisor's dump are in no order")
		}
		at, addr, total = l.at+l.size, l.addr+l.size, total+l.size
		if total > j.Memory+maxDevices {
			return fmt.Errorf("the hypervisor's dump has more than the %d bytes of memory that the guest has", j.Memory)
		}
	}
	if total == 0 {
		return errors.New("the hypervisor's dump has no memory in it")
	}
	return nil
}

func (h *header) report() Report {
	r := Report{Bits: h.bits}
	end := int64(0)
	for _, l := range h.loads {
		if n := len(r.Ranges); n > 0 && r.Ranges[n-1].From+r.Ranges[n-1].Size == l.addr {
			r.Ranges[n-1].Size += l.size
		} else {
			if l.addr > end {
				r.Missing = append(r.Missing, Range{end, l.addr - end})
			}
			r.Ranges = append(r.Ranges, Range{l.addr, l.size})
		}
		end = l.addr + l.size
		r.Bytes += l.size
	}
	return r
}

// raw writes each byte at its address.
func (h *header) raw(to File, s *stream, j Job) (Report, error) {
	r := h.report()
	for _, l := range h.loads {
		if err := s.skipTo(l.at); err != nil {
			return r, err
		}
		if l.addr+l.size > j.MaxFile() {
			r.Left = append(r.Left, Range{l.addr, l.size})
			if err := s.skipTo(l.at + l.size); err != nil {
				return r, err
			}
			continue
		}
		if _, err := s.copyTo(to, l.addr, l.size, false); err != nil {
			return r, err
		}
		r.Size = l.addr + l.size
	}
	r.Written = s.written
	return r, errors.Join(s.rest(), to.Truncate(r.Size))
}

// elf64 writes an ELF file of 64 bits, whatever the stream is: a guest that is not in long mode has one of
// 32 bits, which few tools read, and the notes of which hold other registers. Those are left out then.
func (h *header) elf64(to File, s *stream) (Report, error) {
	r := h.report()
	var notes []byte
	if h.bits == 64 && h.notes.size > 0 {
		if err := s.skipTo(h.notes.at); err != nil {
			return r, err
		}
		notes = make([]byte, h.notes.size)
		if err := s.full(notes); err != nil {
			return r, err
		}
		r.Notes = true
	}
	head, at := h.head(int64(len(notes)))
	if _, err := to.WriteAt(append(head, notes...), 0); err != nil {
		return r, errors.New("cannot write the dump: " + err.Error())
	}
	for i, l := range h.loads {
		if err := s.skipTo(l.at); err != nil {
			return r, err
		}
		if _, err := s.copyTo(to, at[i], l.size, false); err != nil {
			return r, err
		}
		r.Size = at[i] + l.size
	}
	r.Written = s.written
	return r, errors.Join(s.rest(), to.Truncate(r.Size))
}

// head is the header of the file, and where in it each range begins.
func (h *header) head(notes int64) ([]byte, []int64) {
	count := len(h.loads)
	if notes > 0 {
		count++
	}
	const ehdr, phdr = 64, 56
	e := elf.Header64{Type: uint16(elf.ET_CORE), Machine: h.machine, Version: 1, Phoff: ehdr, Ehsize: ehdr, Phentsize: phdr,
		Phnum: uint16(count), Shentsize: 64}
	copy(e.Ident[:], elf.ELFMAG)
	e.Ident[elf.EI_CLASS], e.Ident[elf.EI_DATA], e.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	if h.machine == uint16(elf.EM_386) {
		e.Machine = uint16(elf.EM_X86_64)
	}
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	put(e)
	next := int64(ehdr + count*phdr)
	if notes > 0 {
		put(elf.Prog64{Type: uint32(elf.PT_NOTE), Off: uint64(next), Filesz: uint64(notes), Memsz: uint64(notes), Align: 4})
		next += notes
	}
	var at []int64
	for _, l := range h.loads {
		next = (next + page - 1) / page * page
		put(elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W | elf.PF_X), Off: uint64(next), Paddr: uint64(l.addr),
			Filesz: uint64(l.size), Memsz: uint64(l.size), Align: page})
		at = append(at, next)
		next += l.size
	}
	return b.Bytes(), at
}

// Header is the beginning of an ELF stream of these ranges, as Make reads it: for a hypervisor that does
// not write one.
func Header(ranges []Range) []byte {
	h := header{bits: 64, machine: uint16(elf.EM_X86_64)}
	for _, r := range ranges {
		h.loads = append(h.loads, segment{size: r.Size, addr: r.From})
	}
	head, at := h.head(0)
	return append(head, make([]byte, at[0]-int64(len(head)))...)
}
