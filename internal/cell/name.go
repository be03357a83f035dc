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
		return errors.New("invalid name " + fmt.Sprintf(`"%s"`, Printable(shorten(s, 40))) + ": " + m.why)
	}
	return nil
}

func nameRule(s string) *mistake {
	switch {
	case s == "":
		return wrong("must not be empty")
	case len(s) > maxName:
		return wrong("has %d characters, at most %d are allowed", len([]rune(s)), maxName)
	case !letter(s[0]):
		return wrong("must start with a letter")
	case strings.Contains(s, "."):
		return wrong("must not contain a dot, which would make a jail within a jail").but("use - instead of the dot")
	}
	for i := range len(s) {
		if !letter(s[i]) && !digit(s[i]) && s[i] != '_' && s[i] != '-' {
			return wrong("must consist of letters, digits, - and _")
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
		return wrong("must not be empty")
	case len(s) > maxInterface:
		return wrong("an interface name has at most %d characters", maxInterface)
	case !letter(s[0]):
		return wrong("an interface name must start with a letter")
	}
	for i := range len(s) {
		if !letter(s[i]) && !digit(s[i]) && !strings.ContainsRune("._-", rune(s[i])) {
			return wrong("an interface name must consist of letters, digits, dots, - and _")
		}
	}
	return nil
}

// zvolRule is for the name of a ZFS volume. Spaces, which ZFS would take, are
// not possible in a devfs rule.
func zvolRule(s string) *mistake {
	const node = "/dev/zvol/"
	if rest, ok := strings.CutPrefix(s, node); ok {
		return wrong("must be the name of a dataset, not the path of its device").but("did you mean %q?", rest)
	}
	switch {
	case s == "":
		return wrong("must not be empty")
	case len(s) > 200:
		return wrong("has %d characters, at most 200 are allowed", len(s))
	case strings.ContainsAny(s, "@#"):
		return wrong("must be a volume, not a snapshot or bookmark")
	case !letter(s[0]):
		return wrong("the name of a pool must start with a letter")
	case !strings.Contains(s, "/"):
		return wrong("must be a volume in a pool, such as \"%s/disk-01\"", s)
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || part == "." || part == ".." {
			return wrong("%q cannot be part of a dataset name", part)
		}
		for i := range len(part) {
			if !letter(part[i]) && !digit(part[i]) && !strings.ContainsRune("_-:.", rune(part[i])) {
				return wrong("a dataset name must consist of letters, digits, and _ - : . between slashes")
			}
		}
	}
	return nil
}

// maxImage is the longest name of an image in the store.
const maxImage = 64

// ValidImage tells why s cannot be the name of an image in the store, or nil. It
// becomes part of paths there.
func ValidImage(s string) error {
	if m := imageRule(s); m != nil {
		return errors.New("invalid name " + fmt.Sprintf(`"%s"`, Printable(shorten(s, 40))) + ": " + m.why)
	}
	return nil
}

func imageRule(s string) *mistake {
	switch {
	case s == "":
		return wrong("must not be empty")
	case strings.Contains(s, "/"):
		return wrong("must be the name of an image in the store, not a path").but("base = %q uses a file", s)
	case len(s) > maxImage:
		return wrong("has %d characters, at most %d are allowed", len([]rune(s)), maxImage)
	case !letter(s[0]) && !digit(s[0]):
		return wrong("must start with a letter or a digit")
	}
	for i := range len(s) {
		if !letter(s[i]) && !digit(s[i]) && !strings.ContainsRune("._-", rune(s[i])) {
			return wrong("must consist of letters, digits, dots, - and _")
		}
	}
	return nil
}

// plainText is text that can stand in one line of an argument, a rule or a log,
// and that looks there like what it is: a path that reads backwards would fool
// whoever looks at an audit.
func plainText(v cty.Value) (string, *mistake) {
	if v.Type() != cty.String {
		return "", mustBe("text in quotes")
	}
	s := v.AsString()
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return "", wrong("must not contain control or invisible characters")
		}
	}
	return s, nil
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func digit(c byte) bool  { return '0' <= c && c <= '9' }
