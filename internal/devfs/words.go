package devfs

import (
	"fmt"
	"strings"
)

// shellWords splits a line of a rules file as the `eval` in rc.subr(8) does:
// quotes, backslashes, `$name` and `${name}`, and a comment where a word
// begins with `#`. Names without a value vanish, as they do in sh(1), and are
// reported. What would run a command or open a file is refused and never done.
func shellWords(line string, vars map[string]string) (words, unknown []string, err error) {
	var word strings.Builder
	inWord := false
	flush := func() {
		if inWord {
			words = append(words, word.String())
		}
		word.Reset()
		inWord = false
	}
	expand := func(i int) (int, error) {
		name, next := variable(line, i)
		if name == "" {
			return 0, fmt.Errorf("the shell would run or expand %q", line[i:])
		}
		value, ok := vars[name]
		if !ok {
			unknown = append(unknown, name)
		}
		if value != "" {
			word.WriteString(value)
			inWord = true
		}
		return next, nil
	}
	for i := 0; i < len(line); {
		switch c := line[i]; c {
		case ' ', '\t':
			flush()
			i++
		case '#':
			if !inWord {
				return words, unknown, nil
			}
			word.WriteByte(c)
			i++
		case '\\':
			if i+1 == len(line) {
				return nil, nil, fmt.Errorf("a backslash ends the line")
			}
			word.WriteByte(line[i+1])
			inWord = true
			i += 2
		case '\'':
			end := strings.IndexByte(line[i+1:], '\'')
			if end < 0 {
				return nil, nil, fmt.Errorf("a ' is not closed")
			}
			word.WriteString(line[i+1 : i+1+end])
			inWord = true
			i += end + 2
		case '"':
			inWord = true
			for i++; ; {
				if i >= len(line) {
					return nil, nil, fmt.Errorf("a \" is not closed")
				}
				if line[i] == '"' {
					i++
					break
				}
				switch {
				case line[i] == '$':
					if i, err = expand(i); err != nil {
						return nil, nil, err
					}
					continue
				case line[i] == '`':
					return nil, nil, fmt.Errorf("the shell would run %q", line[i:])
				case line[i] == '\\' && i+1 < len(line) && strings.IndexByte("$`\"\\", line[i+1]) >= 0:
					i++
				}
				word.WriteByte(line[i])
				i++
			}
		case '$':
			if i, err = expand(i); err != nil {
				return nil, nil, err
			}
		case ';', '&', '|', '<', '>', '(', ')', '`':
			return nil, nil, fmt.Errorf("the shell would act on %q; quote it", string(c))
		default:
			word.WriteByte(c)
			inWord = true
			i++
		}
	}
	flush()
	return words, unknown, nil
}

// variable reads `$name` or `${name}` at i and returns where it ends; the name
// is "" for every other form of expansion.
func variable(line string, i int) (name string, next int) {
	rest := line[i+1:]
	if strings.HasPrefix(rest, "{") {
		end := strings.IndexByte(rest, '}')
		if end < 0 || !isName(rest[1:end]) {
			return "", 0
		}
		return rest[1:end], i + 1 + end + 1
	}
	n := 0
	for n < len(rest) && isName(rest[:n+1]) {
		n++
	}
	return rest[:n], i + 1 + n
}

// isName says whether a shell variable can have this name.
func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
