//go:build linux || freebsd

package disk

import (
	"io/fs"
	"syscall"
)

// Used is what a file takes of the host's disk.
func Used(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int64(st.Blocks) * 512
	}
	return info.Size()
}
