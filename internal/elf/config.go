package elf

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"path"
	"strings"
)

// maxIncludes bounds the files that one ld.so.conf can pull in; an include of
// itself would otherwise never end.
const maxIncludes = 256

// LdConf reads ld.so.conf(5) in fsys, which is rooted at "/", and returns its
// directories in order together with every file that was read, so that a
// caller can notice a change in any of them. A missing file is no error: musl
// and many containers have none.
func LdConf(fsys fs.FS, name string) (dirs, files []string) {
	seen := map[string]bool{}
	var read func(name string)
	read = func(name string) {
		if seen[name] || len(files) >= maxIncludes {
			return
		}
		seen[name] = true
		b, err := fs.ReadFile(fsys, strings.TrimPrefix(name, "/"))
		if err != nil {
			return
		}
		files = append(files, name)
		sc := bufio.NewScanner(bytes.NewReader(b))
		for sc.Scan() {
			line, _, _ := strings.Cut(sc.Text(), "#")
			f := strings.Fields(line)
			switch {
			case len(f) == 0:
			case f[0] == "include":
				for _, pat := range f[1:] {
					if !path.IsAbs(pat) {
						pat = path.Join(path.Dir(name), pat)
					}
					m, _ := fs.Glob(fsys, strings.TrimPrefix(pat, "/"))
					for _, p := range m {
						read("/" + p)
					}
				}
			case f[0] == "hwcap":
			default:
				// Several directories on one line may be separated by spaces,
				// colons or commas; "=TYPE" after one is from the libc5 days.
				for _, d := range strings.FieldsFunc(line, func(r rune) bool {
					return strings.ContainsRune(" \t:,", r)
				}) {
					d, _, _ = strings.Cut(d, "=")
					if path.IsAbs(d) {
						dirs = append(dirs, path.Clean(d))
					}
				}
			}
		}
	}
	read(name)
	return dirs, files
}

// Hints reads the directories out of FreeBSD's /var/run/ld-elf.so.hints, as
// ldconfig(8) writes it: a header of 32-bit words and a table of strings.
func Hints(b []byte) ([]string, error) {
	var order binary.ByteOrder = binary.LittleEndian
	const magic = 0x746e6845 // "Ehnt"
	if len(b) < 24 {
		return nil, errors.New("hints file too short")
	}
	if order.Uint32(b) != magic {
		order = binary.BigEndian
	}
	if order.Uint32(b) != magic || order.Uint32(b[4:]) != 1 {
		return nil, errors.New("not a hints file")
	}
	strtab, strsize := uint64(order.Uint32(b[8:])), uint64(order.Uint32(b[12:]))
	list, n := uint64(order.Uint32(b[16:])), uint64(order.Uint32(b[20:]))
	if list+n > strsize || strtab+list+n > uint64(len(b)) {
		return nil, errors.New("hints file cut short")
	}
	var dirs []string
	for _, d := range strings.Split(string(b[strtab+list:strtab+list+n]), ":") {
		if path.IsAbs(d) {
			dirs = append(dirs, path.Clean(d))
		}
	}
	return dirs, nil
}
