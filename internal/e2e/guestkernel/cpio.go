package guestkernel

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// archive is an initramfs in the "new" format of cpio(5), as the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst describes it.
type archive struct {
	b   bytes.Buffer
	ino int
}

const (
	typeDir  = 0o040000
	typeFile = 0o100000
	typeChar = 0o020000
)

func (a *archive) dir(name string) { a.entry(name, typeDir|0o755, 0, 0, nil) }

func (a *archive) file(name string, mode int, data []byte) {
	a.entry(name, typeFile|mode, 0, 0, data)
}

func (a *archive) node(name string, major, minor int) {
	a.entry(name, typeChar|0o600, major, minor, nil)
}

// add adds files of this host, and the directories on their way.
func (a *archive) add(files map[string]string) error {
	made := map[string]bool{"dev": true}
	for _, inside := range slices.Sorted(maps.Keys(files)) {
		name := strings.TrimPrefix(inside, "/")
		parts := strings.Split(name, "/")
		for i := 1; i < len(parts); i++ {
			if dir := strings.Join(parts[:i], "/"); !made[dir] {
				made[dir] = true
				a.dir(dir)
			}
		}
		b, err := os.ReadFile(files[inside])
		if err != nil {
			return err
		}
		a.file(name, 0o755, b)
	}
	return nil
}

// entry writes one header: thirteen numbers of eight hexadecimal digits, then
// the name and the data, each filled up to four bytes.
func (a *archive) entry(name string, mode, major, minor int, data []byte) {
	a.ino++
	a.b.WriteString("070701")
	for _, n := range []int{a.ino, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name) + 1, 0} {
		fmt.Fprintf(&a.b, "%08x", n)
	}
	a.b.WriteString(name + "\x00")
	a.pad()
	a.b.Write(data)
	a.pad()
}

func (a *archive) pad() {
	for a.b.Len()%4 != 0 {
		a.b.WriteByte(0)
	}
}

// bytes ends the archive.
func (a *archive) bytes() []byte {
	a.entry("TRAILER!!!", 0, 0, 0, nil)
	return a.b.Bytes()
}
