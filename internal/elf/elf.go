// Package elf finds every file that a program needs before its first own
// instruction: its interpreter and its libraries, as the dynamic linker would
// resolve them.
//
// The rootfs of a hypervisor holds these files and nothing else, so a file too
// few is a cell that does not start and a file too many is a gift to whoever
// breaks out. ldd(1) would give the same list, but it runs the program's own
// interpreter to get it; reading the headers runs nothing.
package elf

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Object is what the headers of one ELF file say about its needs.
type Object struct {
	Class   elf.Class
	Machine elf.Machine
	Interp  string   // PT_INTERP; "" for a library or a static program
	Needed  []string // DT_NEEDED
	RPath   []string // DT_RPATH, entries as written
	RunPath []string // DT_RUNPATH, entries as written
	Code    int64    // bytes that are mapped to be executed, in whole pages
}

// Read reads the headers of an ELF file.
func Read(path string) (Object, error) {
	f, err := os.Open(path)
	if err != nil {
		return Object{}, err
	}
	defer f.Close()
	o, err := read(f)
	if err != nil {
		return Object{}, fmt.Errorf("%s: %w", path, err)
	}
	return o, nil
}

func read(r io.ReaderAt) (Object, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return Object{}, err
	}
	o := Object{Class: f.Class, Machine: f.Machine}
	dynamic := false
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 {
			const page = 4096
			o.Code += int64((min(p.Vaddr%page+p.Memsz, 1<<40) + page - 1) &^ (page - 1))
		}
		switch p.Type {
		case elf.PT_DYNAMIC:
			dynamic = true
		case elf.PT_INTERP:
			// A path longer than any path is a damaged file.
			if p.Filesz > 4096 {
				return Object{}, errors.New("interpreter name too long")
			}
			b, err := io.ReadAll(p.Open())
			if err != nil {
				return Object{}, err
			}
			o.Interp = strings.TrimRight(string(b), "\x00")
		}
	}
	if !dynamic {
		return o, nil
	}
	if o.Needed, err = f.ImportedLibraries(); err != nil {
		return Object{}, err
	}
	if o.RPath, err = paths(f, elf.DT_RPATH); err != nil {
		return Object{}, err
	}
	if o.RunPath, err = paths(f, elf.DT_RUNPATH); err != nil {
		return Object{}, err
	}
	return o, nil
}

func paths(f *elf.File, tag elf.DynTag) ([]string, error) {
	values, err := f.DynString(tag)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, v := range values {
		for _, p := range strings.Split(v, ":") {
			if p != "" {
				out = append(out, p)
			}
		}
	}
	return out, nil
}
