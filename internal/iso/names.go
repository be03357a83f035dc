package iso

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// nameKids gives the children of a directory the two other names that they have: one of the standard's few
// characters, and Joliet's. Both are made unique.
func (n *node) nameKids() {
	slices.SortFunc(n.kids, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	short, joliet := used{}, used{}
	for _, k := range n.kids {
		k.short = shortName(k, short)
		k.joliet = jolietName(k, joliet)
	}
}

// used are the names of a directory, and how many have been made of each beginning.
type used map[string]int

// unique tries the name as it is, and then with numbers in the place of its end.
func (u used) unique(name string, numbered func(string) string) string {
	if _, taken := u[name]; !taken {
		u[name] = 1
		return name
	}
	for {
		n := u[name]
		u[name]++
		s := numbered(fmt.Sprint(n))
		if _, taken := u[s]; !taken {
			u[s] = 1
			return s
		}
	}
}

// shortName is one of ECMA-119's first level: eight characters, a dot and three, of A to Z, 0 to 9 and _.
func shortName(k *node, u used) string {
	base, ext := k.name, ""
	if i := strings.LastIndexByte(k.name, '.'); i > 0 && !k.dir {
		base, ext = k.name[:i], k.name[i+1:]
	}
	base, ext = plain(base, 8), plain(ext, 3)
	if base == "" {
		base = "_"
	}
	with := func(base string) string {
		if k.dir {
			return base
		}
		return base + "." + ext + ";1"
	}
	return u.unique(with(base), func(n string) string { return with(base[:min(len(base), 8-len(n))] + n) })
}

func plain(s string, most int) string {
	var b strings.Builder
	for _, r := range strings.ToUpper(s) {
		if r != '_' && (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			r = '_'
		}
		if b.Len() == most {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// maxJoliet is how many characters a name has in Joliet. Its specification says 64; Windows reads as many as fit
// into a record, which is why mkisofs has -joliet-long.
const maxJoliet = 103

// jolietName is the name in UTF-16, big end first, without what Windows does not allow in names.
func jolietName(k *node, u used) []byte {
	name := strings.Map(func(r rune) rune {
		if r < 0x20 || strings.ContainsRune(`*/:;?\"<>|`, r) {
			return '_'
		}
		return r
	}, k.name)
	stem, ext := name, ""
	if i := strings.LastIndexByte(name, '.'); i > 0 && !k.dir && len(name)-i <= 16 {
		stem, ext = name[:i], name[i:]
	}
	cut := func(end string) string {
		room := maxJoliet - len(utf16.Encode([]rune(ext+end)))
		runes := []rune(stem)
		for len(utf16.Encode(runes)) > room {
			runes = runes[:len(runes)-1]
		}
		return string(runes) + end + ext
	}
	// Windows takes a and A for one name.
	folded := u.unique(strings.ToLower(cut("")), func(n string) string { return strings.ToLower(cut("~" + n)) })
	name = cut("")
	if folded != strings.ToLower(name) {
		name = folded
	}
	return utf16BE(name)
}

func utf16BE(s string) []byte {
	var b []byte
	for _, c := range utf16.Encode([]rune(s)) {
		b = append(b, byte(c>>8), byte(c))
	}
	return b
}
