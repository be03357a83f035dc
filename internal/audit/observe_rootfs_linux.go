package audit

import (
	"io/fs"
	"path/filepath"
	"strings"
)

// readMounts reads mountinfo: proc_pid_mountinfo(5).
func readMounts(path string) []linuxMount {
	var all []linuxMount
	for _, line := range strings.Split(readLine(path), "\n") {
		f := strings.Fields(line)
		for i := 6; i < len(f)-1; i++ {
			if f[i] == "-" {
				all = append(all, linuxMount{Point: f[4], Options: f[5], Kind: f[i+1]})
				break
			}
		}
	}
	return all
}

// maxReachable bounds the walk: a process that reaches more than this is not
// in a rootfs of ours.
const maxReachable = 2000

// reachable lists the regular files and device nodes below a root, and the
// directories that could not be read.
func reachable(root string) (files, nodes, unread []string) {
	count := 0
	_ = filepath.WalkDir(root+"/.", func(path string, d fs.DirEntry, err error) error {
		if count++; count > maxReachable {
			return fs.SkipAll
		}
		short := strings.TrimPrefix(path, root)
		if path == root+"/." {
			short = "/"
		}
		if err != nil {
			unread = append(unread, short)
			return fs.SkipDir
		}
		switch {
		case d.Type()&fs.ModeDevice != 0:
			nodes = append(nodes, short)
		case !d.IsDir():
			files = append(files, short)
		}
		return nil
	})
	return files, nodes, unread
}
