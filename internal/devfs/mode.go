package devfs

import (
	"fmt"
	"strconv"
	"strings"
)

// parseMode reads a mode as chmod(1) and setmode(3) do, applied to no mode at
// all: an octal number, or clauses such as u=rw,g=r. Without `ugoa` in front a
// clause is cut by the umask, which is 022 when rc(8) reads the rules.
func parseMode(s string) (uint16, error) {
	if s != "" && s[0] >= '0' && s[0] <= '9' {
		n, err := strconv.ParseUint(s, 8, 16)
		if err != nil || n > 0o7777 {
			return 0, fmt.Errorf("invalid mode %q", s)
		}
		return uint16(n), nil
	}
	var mode uint16
	for clause := range strings.SplitSeq(s, ",") {
		i := strings.IndexAny(clause, "+-=")
		if i < 0 {
			return 0, fmt.Errorf("invalid mode %q", s)
		}
		who, umask := uint16(0), uint16(0)
		for _, c := range clause[:i] {
			switch c {
			case 'u':
				who |= 0o4700
			case 'g':
				who |= 0o2070
			case 'o':
				who |= 0o0007
			case 'a':
				who |= 0o6777
			default:
				return 0, fmt.Errorf("invalid mode %q", s)
			}
		}
		if i == 0 {
			who, umask = 0o6777, 0o022
		}
		for i < len(clause) {
			op := clause[i]
			end := i + 1
			for end < len(clause) && !strings.ContainsRune("+-=", rune(clause[end])) {
				end++
			}
			bits, err := modeBits(clause[i+1:end], mode)
			if err != nil {
				return 0, fmt.Errorf("invalid mode %q", s)
			}
			bits &= (who &^ umask) | 0o1000
			switch op {
			case '+':
				mode |= bits
			case '-':
				mode &^= bits
			case '=':
				mode = mode&^who | bits
			}
			i = end
		}
	}
	return mode, nil
}

// modeBits are the bits of the letters after an operator, for everybody.
func modeBits(letters string, now uint16) (uint16, error) {
	var bits uint16
	for _, c := range letters {
		switch c {
		case 'r':
			bits |= 0o444
		case 'w':
			bits |= 0o222
		case 'x':
			bits |= 0o111
		case 'X': // only where somebody may execute already
			if now&0o111 != 0 {
				bits |= 0o111
			}
		case 's':
			bits |= 0o6000
		case 't':
			bits |= 0o1000
		default:
			return 0, fmt.Errorf("%q is not a permission", c)
		}
	}
	return bits, nil
}
