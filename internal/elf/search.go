package elf

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// dir is a directory to search. inside is where a linker in an empty rootfs would
// look for the same thing, or "" if it would not look there at all.
type dir struct{ host, inside string }

// dirs is the search order of ld.so(8) and rtld(1) for what n needs.
func (w *walk) dirs(n *node) []dir {
	var out []dir
	if len(n.object.RunPath) == 0 {
		// DT_RPATH counts for what the needed libraries need too, but only as
		// long as no DT_RUNPATH is there.
		for l := n; l != nil; l = l.loader {
			if len(l.object.RunPath) == 0 {
				out = append(out, expand(l, l.object.RPath)...)
			}
		}
	}
	out = append(out, expand(n, n.object.RunPath)...)
	for _, d := range w.search.Configured {
		inside := ""
		if slices.Contains(w.search.Default, d) {
			inside = d
		}
		out = append(out, dir{d, inside})
	}
	for _, d := range w.search.Default {
		out = append(out, dir{d, d})
	}
	return out
}

// expand replaces $ORIGIN, which in the rootfs is the directory the object has
// there. $LIB and $PLATFORM are not expanded: such an entry finds nothing.
func expand(n *node, entries []string) []dir {
	var out []dir
	for _, e := range entries {
		at := func(path string) string {
			o := filepath.Dir(path)
			return filepath.Clean(strings.NewReplacer("${ORIGIN}", o, "$ORIGIN", o).Replace(e))
		}
		out = append(out, dir{at(n.file.Seen), at(n.file.Inside)})
		if real := at(n.file.Host); real != at(n.file.Seen) {
			out = append(out, dir{real, at(n.file.Inside)})
		}
	}
	return out
}

// errForeign: a library for another kind of processor, of which no word need be lost.
var errForeign = errors.New("of another class or machine")

// try opens a candidate. One of another class or machine is passed over, as
// the linker does with 32-bit libraries on its way.
func (w *walk) try(path string, like Object) (Object, string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Object{}, "", err
	}
	st, err := os.Stat(real)
	if err != nil {
		return Object{}, "", err
	}
	if !st.Mode().IsRegular() {
		return Object{}, "", &fs.PathError{Op: "open", Path: path, Err: fs.ErrInvalid}
	}
	o, err := Read(real)
	if err != nil {
		return Object{}, "", err
	}
	if o.Class != like.Class || o.Machine != like.Machine {
		return Object{}, "", errForeign
	}
	return o, real, nil
}
