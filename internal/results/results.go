// Package results brings out what a guest has written to a disk that it was given for that: a tar archive
// from the disk's first byte on, FAT or ext4.
//
// All of it is hostile. The disk is read in a jail (package reader), where Extract makes a stream of it that
// is simple enough to be read safely: a kind, a path, a size, and so many bytes. Unpack, on the caller's side,
// takes that stream for as hostile as the disk: it makes directories and plain files of its own below one
// directory, or in an archive, and nothing else.
package results

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds are how much is brought out.
type Bounds struct {
	Files int   // files and directories
	Size  int64 // bytes of all files together
}

// Output is how long a stream of that much can be.
func (b Bounds) Output() int64 {
	return b.Size + int64(b.Files+2)*2*(header+MaxPath+maxReason)
}

// The bounds that nobody can change, and the default of the number of files.
const (
	MaxDepth  = 32
	MaxName   = 255
	MaxPath   = 4096
	MaxFiles  = 1_000_000
	DefFiles  = 100_000
	maxReason = 200
)

// kind is what a record of the stream is about.
type kind byte

const (
	isFile kind = 'F' // the bytes follow
	isDir  kind = 'D'
	isLeft kind = 'L' // left out; the bytes that follow say why
	isMore kind = 'M' // there is more than the bounds allow; the bytes say of what
	isEnd  kind = 'E'
)

// checkPath says why a path is not one that is brought out.
func checkPath(path string) error {
	switch {
	case path == "":
		return fmt.Errorf("it has no name")
	case strings.HasPrefix(path, "/"):
		return fmt.Errorf("its path is absolute")
	case len(path) > MaxPath:
		return fmt.Errorf("its path has more than %d bytes", MaxPath)
	case !utf8.ValidString(path):
		return fmt.Errorf("its name is not UTF-8")
	}
	names := strings.Split(path, "/")
	if len(names) > MaxDepth {
		return fmt.Errorf("it lies deeper than %d directories", MaxDepth)
	}
	for _, name := range names {
		switch {
		case name == "..":
			return fmt.Errorf("its path has .. in it")
		case name == "" || name == ".":
			return fmt.Errorf("its path has an empty name")
		case len(name) > MaxName:
			return fmt.Errorf("its name has more than %d bytes", MaxName)
		case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == '\\' }):
			return fmt.Errorf("its name has a control or invisible character, or a backslash")
		}
	}
	return nil
}
