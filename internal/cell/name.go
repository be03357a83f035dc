package cell

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/zclconf/go-cty/cty"
)

// maxName is the longest name of a cell, and of anything labelled in it. It
// keeps jail, VM and socket names built from it within the limits of both
// systems.
const maxName = 32

// ValidName tells why s cannot be the name of a cell, or nil. The name becomes
// part of paths, jail names and device rules; it is checked where it comes in
// and trusted from there on.
func ValidName(s string) error {
	if m := nameRule(s); m != nil {
		return errors.New("cannot use the name " + fmt.Sprintf(`"%s"`, Printable(shorten(s, 40))) + ": " + m.why)
	}
	return nil
}

func nameRule(s string) *mistake {
	switch {
	case s == "":
		return wrong("it is empty")
	case len(s) > maxName:
		return wrong("it has %d characters and %d are the most", len([]rune(s)), maxName)
	case !letter(s[0]):
		return wrong("it begins with a letter from a to z")
	case strings.Contains(s, "."):
		return wrong("a dot in a jail's name means a jail within a jail").but("write - instead of the dot")
	}
	for i := range len(s) {
		if !letter(s[i]) && !digit(s[i]) && s[i] != '_' && s[i] != '-' {
			return wrong("it is made of letters, digits, - and _")
		}
	}
	return nil
}

// maxInterface is IFNAMSIZ less its closing zero byte, on both systems.
const maxInterface = 15

// interfaceRule is for bridges, taps and uplinks. The name ends up in devfs
// rules and on command lines, where anything but these characters has a meaning.
func interfaceRule(s string) *mistake {
	switch {
	case s == "":
		return wrong("it is empty")
	case len(s) > maxInterface:
		return wrong("the name of an interface has at most %d characters", maxInterface)
	case !letter(s[0]):
		return wrong("the name of an interface begins with a letter")
	}
	for i := range len(s) {
		if !letter(s[i]) && !digit(s[i]) && !strings.ContainsRune("._-", rune(s[i])) {
			return wrong("the name of an interface is made of letters, digits, dot, - and _")
		}
	}
	return nil
}

// zvolRule is for the name of a ZFS volume. Spaces, which ZFS would take, are
// not possible in a devfs rule.
func zvolRule(s string) *mistake {
	const node = "/dev/zvol/"
	if rest, ok := strings.CutPrefix(s, node); ok {
		return wrong("it is the name of a dataset and not the path of its node").but("did you mean %q?", rest)
	}
	switch {
	case s == "":
		return wrong("it is empty")
	case len(s) > 200:
		return wrong("it has %d characters and 200 are the most", len(s))
	case strings.ContainsAny(s, "@#"):
		return wrong("it is a volume, and no snapshot or bookmark")
	case !letter(s[0]):
		return wrong("the name of a pool begins with a letter")
	case !strings.Contains(s, "/"):
		return wrong("it is a volume within a pool, such as \"%s/disk-01\"", s)
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || part == "." || part == ".." {
			return wrong("%q is no part of a dataset's name", part)
		}
		for i := range len(part) {
			if !letter(part[i]) && !digit(part[i]) && !strings.ContainsRune("_-:.", rune(part[i])) {
				return wrong("the name of a dataset is made of letters, digits, and _ - : . between slashes")
			}
		}
	}
	return nil
}

// plainText is text that can stand in one line of an argument, a rule or a log,
// and that looks there like what it is: a path that reads backwards would fool
// whoever looks at an audit.
func plainText(v cty.Value) (string, *mistake) {
	if v.Type() != cty.String {
		return "", wrong("it is text in quotes")
	}
	s := v.AsString()
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return "", wrong("there is a control character or an invisible one in it")
		}
	}
	return s, nil
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func digit(c byte) bool  { return '0' <= c && c <= '9' }
