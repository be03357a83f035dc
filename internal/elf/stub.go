package elf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Stub is a library in the place of another one: it has the name, the versions and the functions that others want
// of that one, and each of its functions is an instruction that ends the process. So a program can be
// loaded that has a library linked which it will never call, without the library, and without those that this needs.

// ErrNoStub is wrapped where there can be no stub in the place of a library.
var ErrNoStub = errors.New("no stub can be in its place")

// traps are the instructions that end a process, by machine.
var traps = map[elf.Machine][]byte{
	elf.EM_X86_64:  {0x0f, 0x0b, 0x0f, 0x0b}, // ud2
	elf.EM_AARCH64: {0, 0, 0, 0},             // udf
}

// stubSymbol is a function of a stub.
type stubSymbol struct {
	name, version string
	weak          bool
}

// Stub makes a stub in the place of a library for the files that may be loaded beside it. What any of them wants of
// the library is in it, and nothing else.
func Stub(library string, besides []*Imports) ([]byte, error) {
	lib, err := elf.Open(library)
	if err != nil {
		return nil, err
	}
	defer lib.Close()
	trap := traps[lib.Machine]
	if lib.Class != elf.ELFCLASS64 || lib.Data != elf.ELFDATA2LSB || trap == nil {
		return nil, fmt.Errorf("%w: it is for another machine", ErrNoStub)
	}
	names, err := lib.DynString(elf.DT_SONAME)
	if err != nil || len(names) != 1 {
		return nil, fmt.Errorf("%w: it has no name of its own", ErrNoStub)
	}
	w := want{soname: names[0], has: map[string]elf.Symbol{}, wanted: map[stubSymbol]bool{}, versions: map[string]bool{}}
	symbols, err := lib.DynamicSymbols()
	if err != nil {
		return nil, err
	}
	for _, s := range symbols {
		if s.Section != elf.SHN_UNDEF {
			w.has[s.Name] = s
		}
	}
	own, err := lib.DynamicVersions()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		own = nil
	}
	for _, file := range besides {
		if err := w.of(file); err != nil {
			return nil, err
		}
	}
	return w.write(lib.Machine, trap, len(own) > 0), nil
}

// want is what files want of a library.
type want struct {
	soname   string
	has      map[string]elf.Symbol
	wanted   map[stubSymbol]bool
	versions map[string]bool
}

// Imports is what a file wants of others.
type Imports struct {
	versions map[string][]string // by the library
	symbols  []elf.Symbol
}

// ImportsOf reads what a file wants of others.
func ImportsOf(file string) (*Imports, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	i := &Imports{versions: map[string][]string{}}
	needs, _ := f.DynamicVersionNeeds()
	for _, n := range needs {
		for _, v := range n.Needs {
			i.versions[n.Name] = append(i.versions[n.Name], v.Dep)
		}
	}
	all, err := f.DynamicSymbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, s := range all {
		if s.Section == elf.SHN_UNDEF {
			i.symbols = append(i.symbols, s)
		}
	}
	return i, nil
}

// of adds what one file wants.
func (w *want) of(file *Imports) error {
	for _, v := range file.versions[w.soname] {
		w.versions[v] = true
	}
	for _, s := range file.symbols {
		theirs, ok := w.has[s.Name]
		switch {
		case !ok, s.Library != "" && s.Library != w.soname:
			continue
		case elf.ST_TYPE(theirs.Info) != elf.STT_FUNC:
			return fmt.Errorf("%w: %s is no function", ErrNoStub, s.Name)
		}
		if s.Version != "" {
			w.versions[s.Version] = true
		}
		w.wanted[stubSymbol{s.Name, s.Version, elf.ST_BIND(theirs.Info) == elf.STB_WEAK}] = true
	}
	return nil
}

// table is a string table.
type table struct {
	bytes.Buffer
	at map[string]uint32
}

func (t *table) add(s string) uint32 {
	if at, ok := t.at[s]; ok {
		return at
	}
	at := uint32(t.Len())
	t.WriteString(s + "\x00")
	t.at[s] = at
	return at
}

// Of the layout of a stub: elf(5), and the System V ABI.
const (
	stubPage   = 0x1000
	headerSize = 64
	progSize   = 56
	symSize    = 24
	stubProgs  = 4
	bloomShift = 6
	verBase    = 1 // VER_FLG_BASE
)

// write is the file: one segment to read and execute, with the tables and the traps in it, and one for the dynamic
// section, which the dynamic linker writes to.
func (w *want) write(machine elf.Machine, trap []byte, versioned bool) []byte {
	var symbols []stubSymbol
	for s := range w.wanted {
		symbols = append(symbols, s)
	}
	buckets := uint32(len(symbols)/2 + 1)
	slices.SortFunc(symbols, func(a, b stubSymbol) int {
		if d := int(gnuHash(a.name)%buckets) - int(gnuHash(b.name)%buckets); d != 0 {
			return d
		}
		return strings.Compare(a.name+"\x00"+a.version, b.name+"\x00"+b.version)
	})
	var versions []string
	if versioned {
		for v := range w.versions {
			versions = append(versions, v)
		}
		slices.Sort(versions)
	}
	strs := &table{at: map[string]uint32{}}
	strs.add("")
	soname := strs.add(w.soname)

	// The symbols, but for their values.
	var versym bytes.Buffer
	le := binary.LittleEndian
	put16 := func(b *bytes.Buffer, v ...uint16) {
		for _, x := range v {
			b.Write(le.AppendUint16(nil, x))
		}
	}
	put16(&versym, 0)
	nameAt := make([]uint32, len(symbols))
	for i, s := range symbols {
		nameAt[i] = strs.add(s.name)
		put16(&versym, uint16(slices.Index(versions, s.version)+2)) // 1, the base, without a version
	}
	verdef := w.verdef(versions, strs)
	hash := gnuTable(symbols, buckets)

	at := uint64(headerSize + stubProgs*progSize)
	place := func(n int) uint64 {
		at = (at + 15) &^ 15
		here := at
		at += uint64(n)
		return here
	}
	hashAt, symAt, verAt, defAt, strAt := place(len(hash)), place(symSize*(1+len(symbols))), place(versym.Len()), place(len(verdef)), place(strs.Len())
	codeAt := place(len(trap) * max(1, len(symbols)))
	codeEnd := at
	dynAt := (codeEnd + stubPage - 1) &^ (stubPage - 1)
	dynamic := []uint64{uint64(elf.DT_SONAME), uint64(soname), uint64(elf.DT_GNU_HASH), hashAt, uint64(elf.DT_STRTAB), strAt, uint64(elf.DT_SYMTAB), symAt,
		uint64(elf.DT_STRSZ), uint64(strs.Len()), uint64(elf.DT_SYMENT), symSize}
	if len(verdef) > 0 {
		dynamic = append(dynamic, uint64(elf.DT_VERSYM), verAt, uint64(elf.DT_VERDEF), defAt, uint64(elf.DT_VERDEFNUM), uint64(len(versions)+1))
	}
	dynamic = append(dynamic, uint64(elf.DT_NULL), 0)

	out := make([]byte, dynAt+uint64(8*len(dynamic)))
	copy(out, header(machine))
	for i, p := range []elf.Prog64{
		{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Filesz: codeEnd, Memsz: codeEnd, Align: stubPage},
		{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W), Off: dynAt, Vaddr: dynAt, Filesz: uint64(8 * len(dynamic)), Memsz: uint64(8 * len(dynamic)), Align: stubPage},
		{Type: uint32(elf.PT_DYNAMIC), Flags: uint32(elf.PF_R | elf.PF_W), Off: dynAt, Vaddr: dynAt, Filesz: uint64(8 * len(dynamic)), Memsz: uint64(8 * len(dynamic)), Align: 8},
		{Type: uint32(elf.PT_GNU_STACK), Flags: uint32(elf.PF_R | elf.PF_W), Align: 16},
	} {
		p.Paddr = p.Vaddr
		_, _ = binary.Encode(out[headerSize+i*progSize:], le, p)
	}
	copy(out[hashAt:], hash)
	copy(out[verAt:], versym.Bytes())
	copy(out[defAt:], verdef)
	copy(out[strAt:], strs.Bytes())
	for i, s := range symbols {
		bind := elf.STB_GLOBAL
		if s.weak {
			bind = elf.STB_WEAK
		}
		code := codeAt + uint64(i*len(trap))
		_, _ = binary.Encode(out[symAt+uint64(symSize*(i+1)):], le, elf.Sym64{Name: nameAt[i], Info: elf.ST_INFO(bind, elf.STT_FUNC), Shndx: 1, Value: code, Size: uint64(len(trap))})
		copy(out[code:], trap)
	}
	for i, v := range dynamic {
		le.PutUint64(out[dynAt+uint64(8*i):], v)
	}
	return out
}

// header is that of a shared library without sections.
func header(machine elf.Machine) []byte {
	h := elf.Header64{Type: uint16(elf.ET_DYN), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Phoff: headerSize,
		Ehsize: headerSize, Phentsize: progSize, Phnum: stubProgs, Shentsize: 64}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	b := make([]byte, headerSize)
	_, _ = binary.Encode(b, binary.LittleEndian, h)
	return b
}

// verdef is the table of versions, the library's own name first.
func (w *want) verdef(versions []string, strs *table) []byte {
	if len(versions) == 0 {
		return nil
	}
	const defSize, auxSize = 20, 8
	le := binary.LittleEndian
	var b []byte
	for i, name := range append([]string{w.soname}, versions...) {
		flags, next := uint16(0), uint32(defSize+auxSize)
		if i == 0 {
			flags = verBase
		}
		if i == len(versions) {
			next = 0
		}
		for _, v := range []uint16{1, flags, uint16(i + 1), 1} {
			b = le.AppendUint16(b, v)
		}
		for _, v := range []uint32{sysvHash(name), defSize, next, strs.add(name), 0} {
			b = le.AppendUint32(b, v)
		}
	}
	return b
}

// gnuTable is the table by which the dynamic linker finds a symbol, and mostly that there is none.
func gnuTable(symbols []stubSymbol, buckets uint32) []byte {
	words := uint32(1)
	for words*8 < uint32(len(symbols)) {
		words *= 2
	}
	bloom, first, chain := make([]uint64, words), make([]uint32, buckets), make([]uint32, len(symbols))
	for i, s := range symbols {
		h := gnuHash(s.name)
		bloom[h/64%words] |= 1<<(h%64) | 1<<((h>>bloomShift)%64)
		if first[h%buckets] == 0 {
			first[h%buckets] = uint32(i + 1)
		}
		chain[i] = h &^ 1
		if i+1 == len(symbols) || gnuHash(symbols[i+1].name)%buckets != h%buckets {
			chain[i] |= 1 // the last of its bucket
		}
	}
	le := binary.LittleEndian
	var b []byte
	for _, v := range []uint32{buckets, 1, words, bloomShift} {
		b = le.AppendUint32(b, v)
	}
	for _, v := range bloom {
		b = le.AppendUint64(b, v)
	}
	for _, v := range slices.Concat(first, chain) {
		b = le.AppendUint32(b, v)
	}
	return b
}

func gnuHash(s string) uint32 {
	h := uint32(5381)
	for i := range len(s) {
		h = h*33 + uint32(s[i])
	}
	return h
}

func sysvHash(s string) uint32 {
	h := uint32(0)
	for i := range len(s) {
		h = h<<4 + uint32(s[i])
		g := h & 0xf0000000
		h ^= g >> 24
		h &^= g
	}
	return h
}
