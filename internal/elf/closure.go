package elf

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// File is one file of a closure.
type File struct {
	Host   string   // the real file, symbolic links resolved
	Inside string   // where a dynamic linker without any configuration finds it
	Seen   string   // the path by which it was found, links and all
	Name   string   // the DT_NEEDED name; "" for a root or an interpreter
	Needs  []string // where those are inside that it names in DT_NEEDED
	Code   int64    // bytes of it that are mapped to be executed
}

// Search says where a dynamic linker looks.
type Search struct {
	// Configured are the directories of ld.so.conf(5) or of ld-elf.so.hints.
	Configured []string
	// Default are the linker's built-in directories. They come after the
	// configured ones, and they are the only ones that an empty rootfs has.
	// nil: read them out of the interpreter.
	Default []string
}

// ErrNotFound is wrapped by the error for a library that is nowhere.
var ErrNotFound = errors.New("library not found")

// A LibraryError is a library that cannot be had.
type LibraryError struct {
	By      string // the file that needs it
	Library string // as that file names it
	At      string // where there is one that cannot be used; "" where there is none
	Err     error
}

func (e *LibraryError) Error() string {
	return fmt.Sprintf("%s needs %s: %v", e.By, e.Library, e.Err)
}

func (e *LibraryError) Unwrap() error { return e.Err }

// Closure lists the given programs or modules, their interpreter and every
// library that they need, each once, in the order of a breadth-first walk,
// which is the order in which the dynamic linker loads them.
//
// Not followed: LD_LIBRARY_PATH and LD_PRELOAD (a cell has no environment),
// /etc/ld.so.preload (it is not in the rootfs), and the glibc-hwcaps
// subdirectories (a library there always has a baseline twin beside it, and
// that one works on every processor).
func Closure(s Search, roots ...string) ([]File, error) {
	w := walk{search: s, byName: map[string]int{}, byInside: map[string]bool{}}
	for _, root := range roots {
		real, err := filepath.EvalSymlinks(root)
		if err != nil {
			return nil, err
		}
		o, err := Read(real)
		if err != nil {
			return nil, err
		}
		// The kernel tells a program its resolved name and $ORIGIN is taken
		// from that; so a program goes where its real file is.
		if !w.add(File{Host: real, Inside: real, Seen: root}, o, nil) {
			continue
		}
		if o.Interp != "" {
			if err := w.interpreter(o.Interp); err != nil {
				return nil, err
			}
		}
	}
	if w.search.Default == nil {
		w.search.Default = fallbackDirs
	}
	for i := 0; i < len(w.nodes); i++ {
		for _, name := range w.nodes[i].object.Needed {
			if err := w.need(&w.nodes[i], name); err != nil {
				return nil, err
			}
		}
	}
	out := make([]File, len(w.nodes))
	for i, n := range w.nodes {
		out[i] = n.file
		out[i].Code = n.object.Code
		for _, name := range n.object.Needed {
			out[i].Needs = append(out[i].Needs, w.nodes[w.byName[name]].file.Inside)
		}
	}
	return out, nil
}

// node is a file of the closure while its needs are being looked for.
type node struct {
	file   File
	object Object
	loader *node // who needed it first; DT_RPATH is inherited along this chain
}

type walk struct {
	search   Search
	nodes    []node
	byName   map[string]int
	byInside map[string]bool
}

// add appends a file unless the rootfs already has one of that path. Pointers
// into nodes stay valid only until the next add, so loader is copied.
func (w *walk) add(f File, o Object, loader *node) bool {
	if w.byInside[f.Inside] {
		return false
	}
	w.byInside[f.Inside] = true
	if loader != nil {
		c := *loader
		loader = &c
	}
	w.nodes = append(w.nodes, node{f, o, loader})
	if f.Name != "" {
		w.byName[f.Name] = len(w.nodes) - 1
	}
	return true
}

func (w *walk) interpreter(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	o, err := Read(real)
	if err != nil {
		return err
	}
	if w.search.Default == nil {
		w.search.Default = builtinDirs(real)
	}
	// The kernel opens the interpreter by the very name in PT_INTERP. A library
	// may also name it in DT_NEEDED; the linker knows itself by its base name.
	w.add(File{Host: real, Inside: filepath.Clean(path), Seen: path, Name: filepath.Base(path)}, o, nil)
	return nil
}

// need resolves one DT_NEEDED name of n.
func (w *walk) need(n *node, name string) error {
	if _, ok := w.byName[name]; ok {
		return nil
	}
	from := *n
	if strings.Contains(name, "/") {
		o, real, err := w.try(name, from.object)
		if err != nil {
			return fmt.Errorf("%s needs %s: %w", from.file.Seen, name, err)
		}
		w.add(File{Host: real, Inside: filepath.Clean(name), Seen: name, Name: name}, o, &from)
		return nil
	}
	lack := &LibraryError{By: from.file.Seen, Library: name, Err: ErrNotFound}
	for _, d := range w.dirs(&from) {
		seen := filepath.Join(d.host, name)
		o, real, err := w.try(seen, from.object)
		if err != nil {
			// One that is there and damaged says more than one that is not there.
			if lack.At == "" && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errForeign) {
				lack.At, lack.Err = seen, err
			}
			continue
		}
		inside := filepath.Join(w.search.Default[0], name)
		if d.inside != "" {
			inside = filepath.Join(d.inside, name)
		}
		w.add(File{Host: real, Inside: inside, Seen: seen, Name: name}, o, &from)
		return nil
	}
	return lack
}
