package memdump

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const mem = 1 << 20

// sample is a stream as a hypervisor writes it, of 32 or of 64 bits: two ranges with a gap.
func sample(bits int) []byte {
	low, high := bytes.Repeat([]byte("low!"), 4096), bytes.Repeat([]byte{0}, 3*4096)
	copy(high[4096:], "high")
	notes := []byte("registers...")
	var b bytes.Buffer
	put := func(v any) { binary.Write(&b, binary.LittleEndian, v) }
	ident := [16]byte{0x7f, 'E', 'L', 'F', byte(bits / 32), 1, 1}
	if bits == 64 {
		put(elf.Header64{Ident: ident, Type: 4, Machine: uint16(elf.EM_X86_64), Phoff: 64, Phentsize: 56, Phnum: 3})
		off := uint64(64 + 3*56)
		put(elf.Prog64{Type: uint32(elf.PT_NOTE), Off: off, Filesz: 12, Memsz: 12})
		put(elf.Prog64{Type: uint32(elf.PT_LOAD), Off: off + 12, Filesz: 16384, Memsz: 16384})
		put(elf.Prog64{Type: uint32(elf.PT_LOAD), Off: off + 12 + 16384, Paddr: 0xc0000, Filesz: 3 * 4096, Memsz: 3 * 4096})
	} else {
		put(elf.Header32{Ident: ident, Type: 4, Machine: uint16(elf.EM_386), Phoff: 52, Phentsize: 32, Phnum: 3})
		off := uint32(52 + 3*32)
		put(elf.Prog32{Type: uint32(elf.PT_NOTE), Off: off, Filesz: 12, Memsz: 12})
		put(elf.Prog32{Type: uint32(elf.PT_LOAD), Off: off + 12, Filesz: 16384, Memsz: 16384})
		put(elf.Prog32{Type: uint32(elf.PT_LOAD), Off: off + 12 + 16384, Paddr: 0xc0000, Filesz: 3 * 4096, Memsz: 3 * 4096})
	}
	b.Write(notes)
	b.Write(low)
	b.Write(high)
	return b.Bytes()
}

func file(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "dump"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// Of either kind of stream a 64-bit ELF file comes that the standard library reads, with what was in it at
// its address, and a raw file with each byte at its place.
func TestMake(t *testing.T) {
	for _, bits := range []int{32, 64} {
		f := file(t)
		r, err := Make(f, bytes.NewReader(sample(bits)), Job{Format: ELF, Memory: mem})
		if err != nil || r.Bits != bits || r.Notes != (bits == 64) || r.Written != 16384+4096 {
			t.Fatal(bits, r, err)
		}
		if len(r.Missing) != 1 || r.Missing[0] != (Range{16384, 0xc0000 - 16384}) {
			t.Errorf("%d bits: missing %v", bits, r.Missing)
		}
		e, err := elf.NewFile(f)
		if err != nil || e.Class != elf.ELFCLASS64 || e.Machine != elf.EM_X86_64 {
			t.Fatal(bits, e, err)
		}
		found := 0
		for _, p := range e.Progs {
			b, err := io.ReadAll(p.Open())
			switch {
			case err != nil:
				t.Error(err)
			case p.Type == elf.PT_LOAD && p.Paddr == 0 && bytes.HasPrefix(b, []byte("low!low!")) && len(b) == 16384,
				p.Type == elf.PT_LOAD && p.Paddr == 0xc0000 && string(b[4096:4100]) == "high" && len(b) == 3*4096,
				p.Type == elf.PT_NOTE && string(b) == "registers...":
				found++
			}
		}
		if found != 2+bits/64 {
			t.Errorf("%d bits: %d of its parts are as they were", bits, found)
		}
		f = file(t)
		if r, err = Make(f, bytes.NewReader(sample(bits)), Job{Format: Raw, Memory: mem}); err != nil || r.Size != 0xc0000+3*4096 {
			t.Fatal(r, err)
		}
		b, _ := os.ReadFile(f.Name())
		if string(b[16380:16384]) != "low!" || string(b[0xc1000:0xc1004]) != "high" || b[0xa0000] != 0 {
			t.Errorf("%d bits: bytes are not at their places", bits)
		}
	}
}

// A header for a stream of our own is read by Make.
func TestHeader(t *testing.T) {
	ranges := []Range{{0, 8192}, {fourGiB, 4096}}
	stream := io.MultiReader(bytes.NewReader(Header(ranges)), strings.NewReader(strings.Repeat("x", 3*4096)))
	r, err := Make(file(t), stream, Job{Format: ELF, Memory: mem})
	if err != nil || len(r.Ranges) != 2 || r.Ranges[1] != ranges[1] || r.Bytes != 3*4096 {
		t.Fatal(r, err)
	}
}

// What no hypervisor writes is refused, and bounded.
func TestMakeRefuses(t *testing.T) {
	change := func(at int, with ...byte) []byte { b := sample(64); copy(b[at:], with); return b }
	const ph = 64
	for name, b := range map[string][]byte{
		"nothing":          nil,
		"no ELF":           change(0, 'x'),
		"big endian":       change(5, 2),
		"no class":         change(4, 7),
		"far headers":      change(32, 0, 0, 0, 1),
		"many headers":     change(56, 0xff, 0xff),
		"small headers":    change(54, 8),
		"two notes":        change(ph+56, 4),
		"another kind":     change(ph+56, 2),
		"long notes":       change(ph+32, 0, 0, 0, 0x7f),
		"huge range":       change(ph+56+32, 0, 0, 0, 0, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0x7f),
		"negative address": change(ph+56+24, 0, 0, 0, 0, 0, 0, 0, 0xff),
		"out of order":     change(ph+2*56+24, 0, 0, 0),
		"overlapping":      change(ph+2*56+8, 0, 0),
		"short":            sample(64)[:5000],
		"short header":     sample(64)[:100],
	} {
		if r, err := Make(file(t), bytes.NewReader(b), Job{Format: ELF, Memory: mem}); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
	endless := io.MultiReader(bytes.NewReader(sample(64)), zeros{})
	if _, err := Make(file(t), endless, Job{Format: Raw, Memory: mem}); err == nil {
		t.Error("a stream without an end is taken")
	}
	if _, err := Make(file(t), zeros{}, Job{Format: Kdump, Memory: mem}); err == nil {
		t.Error("a kdump without an end is taken")
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func FuzzMake(f *testing.F) {
	f.Add(sample(32), true)
	f.Add(sample(64), false)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte, raw bool) {
		to, err := os.CreateTemp(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.Remove(to.Name())
		defer to.Close()
		j := Job{Format: map[bool]string{true: Raw, false: ELF}[raw], Memory: mem}
		r, err := Make(to, bytes.NewReader(b), j)
		if info, _ := to.Stat(); info.Size() > j.MaxFile() || err == nil && info.Size() != r.Size {
			t.Errorf("a file of %d bytes, %+v", info.Size(), r)
		}
	})
}
