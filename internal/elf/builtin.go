package elf

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
)

// fallbackDirs are searched where no interpreter tells its own.
var fallbackDirs = []string{"/lib64", "/usr/lib64", "/lib", "/usr/lib"}

// builtinDirs reads the directories that are compiled into an interpreter.
// They differ from one distribution to the next (Debian's have a triplet in
// them, Fedora's a 64), and a library put elsewhere is not found in a rootfs
// that has no ld.so.cache.
//
// glibc keeps them as one run of C strings, each ending in a slash:
// "/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0".
// musl has "/lib:/usr/local/lib:/usr/lib", FreeBSD's rtld "/lib:/usr/lib" with
// /lib/casper before it.
func builtinDirs(interp string) []string {
	b, err := os.ReadFile(interp)
	if err != nil {
		return nil
	}
	if dirs := glibcDirs(b); dirs != nil {
		return dirs
	}
	if strings.HasPrefix(filepath.Base(interp), "ld-musl-") {
		return []string{"/lib", "/usr/local/lib", "/usr/lib"}
	}
	if strings.HasPrefix(filepath.Base(interp), "ld-elf") {
		return []string{"/lib", "/usr/lib"}
	}
	return nil
}

func glibcDirs(b []byte) []string {
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("/usr/lib"))
		if i < 0 {
			return nil
		}
		i += at
		at = i + 1
		// Walk back to the start of the run: strings that begin and end with
		// a slash, with single NULs between.
		start := i
		for start >= 2 && b[start-1] == 0 && b[start-2] == '/' {
			p := bytes.LastIndexByte(b[:start-1], 0) + 1
			if start-p > 256 || b[p] != '/' {
				break
			}
			start = p
		}
		var dirs []string
		for p := start; p < len(b) && b[p] == '/'; {
			n := bytes.IndexByte(b[p:], 0)
			if n < 2 || n > 256 || b[p+n-1] != '/' {
				break
			}
			dirs = append(dirs, filepath.Clean(string(b[p:p+n])))
			p += n + 1
		}
		if len(dirs) >= 2 {
			return dirs
		}
	}
}
