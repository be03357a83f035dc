package audit

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Program is what a hypervisor's binary says of how it was built. Each field
// is one of Yes, No and Undetermined.
type Program struct {
	PIE, RELRO, BindNow, NXStack, Protector, SafeStack, CFI, IBT, SHSTK, Setuid Answer
	// RelroFrom and RelroTo are where the linker's tables lie that become
	// read-only, counted from where the program is loaded; whole pages.
	RelroFrom, RelroTo uint64
	// Control are the marks by which a program opts out of FreeBSD's protections,
	// elfctl(1); Controlled says whether it has any place for them.
	Control    uint32
	Controlled Answer
}

// Answer keeps "seen", "absent" and "cannot be determined" apart.
type Answer int

// The three answers.
const (
	Undetermined Answer = iota
	No
	Yes
)

func (t Answer) String() string {
	switch t {
	case Yes:
		return "yes"
	case No:
		return "absent"
	}
	return "cannot be determined"
}

func answer(b bool) Answer {
	if b {
		return Yes
	}
	return No
}

// Constants of the ELF specifications that debug/elf has no names for.
const (
	dfBindNow  = 0x8        // DF_BIND_NOW of DT_FLAGS
	df1Now     = 0x1        // DF_1_NOW of DT_FLAGS_1
	df1PIE     = 0x08000000 // DF_1_PIE of DT_FLAGS_1
	gnuRelro   = 0x6474e552 // PT_GNU_RELRO
	gnuProp    = 0x6474e553 // PT_GNU_PROPERTY
	x86Feature = 0xc0000002 // GNU_PROPERTY_X86_FEATURE_1_AND
	featureIBT = 1 << 0
	featureSS  = 1 << 1
	maxNote    = 64 << 10
	page       = 4096

	noteFreeBSD = "FreeBSD"
	noteControl = 4 // NT_FREEBSD_FEATURE_CTL of sys/sys/elf_common.h
)

// optOuts are the bits of that note.
var optOuts = []struct {
	bit  uint32
	what string
}{
	{1 << 0, "no ASLR"},
	{1 << 1, "no implied PROT_MAX"},
	{1 << 2, "no stack gap"},
	{1 << 3, "needs memory that is writable and executable"},
	{1 << 4, "addresses of 48 bits at most"},
}

// ReadProgram reads the headers of an ELF file.
func ReadProgram(r io.ReaderAt) (Program, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return Program{}, err
	}
	var p Program
	interp, stackSeen := false, false
	p.RELRO, p.IBT, p.SHSTK, p.Controlled = No, No, No, No
	loaded := uint64(1<<64 - 1)
	for _, ph := range f.Progs {
		if ph.Type == elf.PT_LOAD {
			loaded = min(loaded, ph.Vaddr&^(page-1))
		}
	}
	for _, ph := range f.Progs {
		switch uint32(ph.Type) {
		case uint32(elf.PT_INTERP):
			interp = true
		case gnuRelro:
			p.RELRO = Yes
			// The pages that the dynamic linker protects: libexec/rtld-elf/map_object.c.
			p.RelroFrom, p.RelroTo = ph.Vaddr&^(page-1)-loaded, (ph.Vaddr+ph.Memsz)&^(page-1)-loaded
		case uint32(elf.PT_NOTE):
			if v, ok := control(ph, f.ByteOrder); ok {
				p.Control, p.Controlled = v, Yes
			}
		case uint32(elf.PT_GNU_STACK):
			stackSeen = true
			p.NXStack = answer(ph.Flags&elf.PF_X == 0)
		case gnuProp:
			p.IBT, p.SHSTK = features(ph, f.ByteOrder)
		}
	}
	if !stackSeen {
		p.NXStack = No // the kernel's default without the header is an executable stack
	}
	flags, _ := f.DynValue(elf.DT_FLAGS)
	flags1, _ := f.DynValue(elf.DT_FLAGS_1)
	now, _ := f.DynValue(elf.DT_BIND_NOW)
	p.BindNow = answer(has(flags, dfBindNow) || has(flags1, df1Now) || len(now) > 0)
	p.PIE = answer(f.Type == elf.ET_DYN && (interp || has(flags1, df1PIE)))
	p.symbols(f)
	return p, nil
}

func has(values []uint64, bit uint64) bool {
	for _, v := range values {
		if v&bit != 0 {
			return true
		}
	}
	return false
}

// symbols looks for the marks that compilers leave in names. A stripped binary
// without a mark in its dynamic symbols may still have the protection inside:
// SafeStack and CFI that do not cross libraries leave no dynamic symbol.
func (p *Program) symbols(f *elf.File) {
	dynamic, err := f.DynamicSymbols()
	all, serr := f.Symbols()
	stripped := serr != nil
	if err == nil {
		all = append(all, dynamic...)
	}
	p.Protector = No
	safestack, cfi := false, false
	for _, s := range all {
		switch {
		case strings.HasPrefix(s.Name, "__stack_chk_fail"):
			p.Protector = Yes
		case strings.HasPrefix(s.Name, "__safestack"):
			safestack = true
		case strings.HasSuffix(s.Name, ".cfi"), s.Name == "__cfi_check", strings.HasPrefix(s.Name, "__typeid_"):
			cfi = true
		}
	}
	p.SafeStack, p.CFI = mark(safestack, stripped), mark(cfi, stripped)
}

func mark(found, stripped bool) Answer {
	switch {
	case found:
		return Yes
	case stripped:
		return Undetermined
	}
	return No
}

// features reads GNU_PROPERTY_X86_FEATURE_1_AND: the x86-64 psABI, "Program
// Property".
func features(ph *elf.Prog, order binary.ByteOrder) (ibt, shstk Answer) {
	b, err := io.ReadAll(io.LimitReader(ph.Open(), maxNote))
	if err != nil {
		return Undetermined, Undetermined
	}
	for len(b) >= 12 {
		name, desc := int(order.Uint32(b)), int(order.Uint32(b[4:]))
		at := 12 + (name+3)&^3
		if name > maxNote || desc > maxNote || at+desc > len(b) {
			return Undetermined, Undetermined
		}
		props := b[at : at+desc]
		for len(props) >= 8 {
			kind, size := order.Uint32(props), int(order.Uint32(props[4:]))
			if size > len(props)-8 {
				break
			}
			if kind == x86Feature && size >= 4 {
				v := order.Uint32(props[8:])
				return answer(v&featureIBT != 0), answer(v&featureSS != 0)
			}
			props = props[min(len(props), 8+(size+7)&^7):]
		}
		b = b[min(len(b), at+(desc+7)&^7):]
	}
	return No, No
}

// control reads NT_FREEBSD_FEATURE_CTL.
func control(ph *elf.Prog, order binary.ByteOrder) (bits uint32, ok bool) {
	b, err := io.ReadAll(io.LimitReader(ph.Open(), maxNote))
	if err != nil {
		return 0, false
	}
	return controlIn(b, order)
}

func controlIn(b []byte, order binary.ByteOrder) (bits uint32, ok bool) {
	for len(b) >= 12 {
		name, desc, kind := int(order.Uint32(b)), int(order.Uint32(b[4:])), order.Uint32(b[8:])
		at := 12 + (name+3)&^3
		if name > maxNote || desc > maxNote || at+desc > len(b) {
			return 0, false
		}
		if string(bytes.TrimRight(b[12:12+name], "\x00")) == noteFreeBSD && kind == noteControl && desc >= 4 {
			return order.Uint32(b[at:]), true
		}
		b = b[min(len(b), at+(desc+3)&^3):]
	}
	return 0, false
}

// optOuts says which of FreeBSD's protections the program asks not to have.
func (p Program) optOuts() string {
	var all []string
	for _, o := range optOuts {
		if p.Control&o.bit != 0 {
			all = append(all, o.what)
		}
	}
	switch {
	case p.Controlled == Undetermined:
		return ""
	case p.Controlled == No:
		return "no mark of elfctl(1)"
	case len(all) == 0:
		return "opts out of nothing"
	}
	return "opts out: " + strings.Join(all, ", ")
}

// rows tells how the program was built. Skep promises none of it: the program
// is the host's.
func (p Program) rows(j *judge) {
	j.info(GroupProgram, "pie", p.PIE.String())
	j.info(GroupProgram, "relro", p.RELRO.String())
	j.info(GroupProgram, "bind-now", p.BindNow.String())
	j.info(GroupProgram, "nx-stack", p.NXStack.String())
	j.info(GroupProgram, "stack-protector", p.Protector.String())
	j.info(GroupProgram, "safestack", p.SafeStack.String())
	j.info(GroupProgram, "cfi", p.CFI.String())
	j.info(GroupProgram, "cet-marks", fmt.Sprintf("IBT %s, SHSTK %s", p.IBT, p.SHSTK))
	if p.Setuid == Yes {
		j.add(GroupProgram, "setuid", Missing, "no setuid, setgid or file capability", "setuid or setgid")
	} else {
		j.add(GroupProgram, "setuid", Seen, "no setuid or setgid", "no setuid or setgid")
	}
}
