//go:build unix

package store

import (
	"io/fs"
	"syscall"
)

// owner is the uid that owns a file.
func owner(info fs.FileInfo) (int, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}
