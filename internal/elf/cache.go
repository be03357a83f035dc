package elf

import (
	"bytes"
	"encoding/binary"
	"path"
	"slices"
	"strings"
)

// cacheMagic begins a cache of the format of glibc 2.2 and later (sysdeps/generic/dl-cache.h).
const cacheMagic = "glibc-ld.so.cache1.1"

// cacheFlags are the kinds of library that a linker of this machine takes: FLAG_ELF_LIBC6 and the
// machine's own flag.
var cacheFlags = map[string]int32{
	"amd64": 0x0303,
	"arm64": 0x0a03,
}

// Cache is an ld.so.cache(5) of the libraries among these files, as ldconfig(8) writes it: what is named
// lib… and no module. A name that is there twice is left to the directories, in their order. Without a cache
// the linker tries some forty names, in directories for processors
// that the root has not got, before it finds its first library. It is nil for a machine whose flag is not
// known here; the linker does without.
func Cache(goarch string, rooms []string) []byte {
	flags, ok := cacheFlags[goarch]
	if !ok {
		return nil
	}
	named := map[string]int{}
	for _, p := range rooms {
		named[path.Base(p)]++
	}
	libs := slices.DeleteFunc(slices.Clone(rooms), func(p string) bool {
		name := path.Base(p)
		return !strings.HasPrefix(name, "lib") || !strings.Contains(name, ".so") || named[name] > 1
	})
	// The linker bisects, from the last name to the first.
	slices.SortFunc(libs, func(a, b string) int { return compareNames(path.Base(b), path.Base(a)) })
	type entry struct {
		Flags      int32
		Key, Value uint32 // where the name and the path begin in the file
		OSVersion  uint32
		HWCap      uint64
	}
	type header struct {
		Magic      [len(cacheMagic)]byte
		Count      uint32
		Strings    uint32 // bytes
		Endian     uint8
		_          [3]byte
		Extensions uint32
		_          [3]uint32
	}
	const little = 2
	var names bytes.Buffer
	at := uint32(binary.Size(header{}) + len(libs)*binary.Size(entry{}))
	entries := make([]entry, len(libs))
	for i, p := range libs {
		value := at + uint32(names.Len())
		names.WriteString(p)
		names.WriteByte(0)
		entries[i] = entry{Flags: flags, Key: value + uint32(len(p)-len(path.Base(p))), Value: value}
	}
	h := header{Count: uint32(len(libs)), Strings: uint32(names.Len()), Endian: little}
	copy(h.Magic[:], cacheMagic)
	var out bytes.Buffer
	// Writing to a buffer gives no error.
	_ = binary.Write(&out, binary.LittleEndian, h)
	_ = binary.Write(&out, binary.LittleEndian, entries)
	out.Write(names.Bytes())
	return out.Bytes()
}

// compareNames is _dl_cache_libcmp of glibc's elf/dl-cache.c: numbers within names compare as
// numbers.
func compareNames(a, b string) int {
	digit := func(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }
	number := func(s string) (n int, rest string) {
		for digit(s) {
			n, s = n*10+int(s[0]-'0'), s[1:]
		}
		return n, s
	}
	for a != "" {
		switch {
		case digit(a) && digit(b):
			var m, n int
			m, a = number(a)
			n, b = number(b)
			if m != n {
				return m - n
			}
			continue
		case digit(a):
			return 1
		case digit(b):
			return -1
		case b == "":
			return int(a[0])
		case a[0] != b[0]:
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	if b == "" {
		return 0
	}
	return -int(b[0])
}
