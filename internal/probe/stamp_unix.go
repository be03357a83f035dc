//go:build linux || freebsd

package probe

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// stamp is what tells one state of a file or directory from another. A file
// that was replaced has another inode, one that was written another ctime,
// which unlike mtime nobody can set; a directory that gained or lost a name has
// another mtime. The zero stamp is a file that is not there, which is a state
// like any other: a library that appears in an earlier directory must be
// noticed too.
type stamp struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64
}

func stampOf(path string) stamp {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return stamp{}
	}
	return stamp{
		dev: uint64(st.Dev), ino: st.Ino, size: st.Size,
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
	}
}

// seal binds a remembered fact to the state of every file it was found from.
// The stamps are kept as one sum: what is read on every start should be short.
type seal struct {
	Paths []string `json:"paths"`
	Sum   string   `json:"sum"`
}

func sealOf(paths []string) seal {
	slices.Sort(paths)
	paths = slices.Compact(paths)
	return seal{paths, sum(paths)}
}

func sum(paths []string) string {
	h := sha256.New()
	for _, p := range paths {
		fmt.Fprintln(h, p, stampOf(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// holds says whether every file is still as it was.
func (s seal) holds() bool { return len(s.Paths) > 0 && sum(s.Paths) == s.Sum }
