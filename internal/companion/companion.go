// Package companion finds skep-cell, the small program that is the process of a keeper and of a worker where it is
// installed. skep itself is both as well; but it has the packages of every command in it, whose tables each process
// would make before its first line, and would hold as long as it lives.
package companion

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// id is the build ID of the skep-cell that was built with this skep, which Go makes of all that is in it.
// scripts/build sets it. A skep that was built alone has none, and is its own keepers and workers.
var id string

// Name is the program's.
const Name = "skep-cell"

// places are where it may be, from the directory of skep: beside it, as make has it, or where it is installed.
var places = []string{Name, "../libexec/skep/" + Name}

// Program is its path, or "" where it is missing, is another skep's, or is somebody's to write who is not the one that
// could write skep itself.
var Program = sync.OnceValue(func() string {
	self, err := os.Executable()
	if err != nil || id == "" {
		return ""
	}
	return find(self, id)
})

func find(self, id string) string {
	for _, p := range places {
		path := filepath.Join(filepath.Dir(self), p)
		if belongs(path, self, id) {
			return path
		}
	}
	return ""
}

// idWithin is how far from its beginning an executable has its build ID.
const idWithin = 16 << 10

func belongs(path, self, id string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return false
	}
	own, err := os.Stat(self)
	if err != nil || !notMore(info, own) {
		return false
	}
	begin, err := io.ReadAll(io.LimitReader(f, idWithin))
	return err == nil && bytes.Contains(begin, []byte(id))
}
