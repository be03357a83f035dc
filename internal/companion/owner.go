package companion

import (
	"io/fs"
	"syscall"
)

// notMore says whether nobody may write to a file but root and those who may write to skep itself.
func notMore(info, skep fs.FileInfo) bool {
	a, ok := info.Sys().(*syscall.Stat_t)
	b, also := skep.Sys().(*syscall.Stat_t)
	if !ok || !also || a.Uid != 0 && a.Uid != b.Uid {
		return false
	}
	group, others := info.Mode().Perm()&0o020 != 0, info.Mode().Perm()&0o002 != 0
	return (!group || a.Gid == b.Gid && skep.Mode().Perm()&0o020 != 0) && (!others || skep.Mode().Perm()&0o002 != 0)
}
