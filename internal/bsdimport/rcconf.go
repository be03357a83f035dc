package bsdimport

import (
	"fmt"
	"strings"

	"skep/internal/jailconf"
)

// readRC reads the assignments of an rc.conf(5). It is a shell script and could
// do anything; here it does nothing but assign, and what else it holds is
// warned of.
func (i *importer) readRC(src jailconf.Source) map[string]string {
	vars, problems := parseRC(src.Text)
	for _, p := range problems {
		i.warn(Network, fmt.Sprintf("%s:%d", src.Name, p.line), "%s", p.what)
	}
	return vars
}

type rcProblem struct {
	line int
	what string
}

// parseRC reads name=value pairs, several of which may stand on a line.
func parseRC(text string) (vars map[string]string, problems []rcProblem) {
	vars = map[string]string{}
	line := 1
	for len(text) > 0 {
		switch c := text[0]; {
		case c == '\n':
			line++
			text = text[1:]
			continue
		case c == ' ' || c == '\t' || c == ';' || c == '\r':
			text = text[1:]
			continue
		case c == '#':
			n := strings.IndexByte(text, '\n')
			if n < 0 {
				return vars, problems
			}
			text = text[n:]
			continue
		}
		n := 0
		for n < len(text) && (text[n] == '_' || text[n]|0x20 >= 'a' && text[n]|0x20 <= 'z' || n > 0 && text[n] >= '0' && text[n] <= '9') {
			n++
		}
		name, rest := text[:n], text[n:]
		add := strings.HasPrefix(rest, "+=")
		rest = strings.TrimPrefix(rest, "+")
		if n == 0 || !strings.HasPrefix(rest, "=") || len(rest) != len(text)-n && !add {
			end := strings.IndexByte(text, '\n')
			if end < 0 {
				end = len(text)
			}
			problems = append(problems, rcProblem{line, fmt.Sprintf("%q is no assignment and is not run here", strings.TrimSpace(text[:end]))})
			text = text[end:]
			continue
		}
		value, used, wrong := rcValue(rest[1:], vars)
		if wrong != "" {
			problems = append(problems, rcProblem{line, name + ": " + wrong})
		}
		if add {
			problems = append(problems, rcProblem{line, fmt.Sprintf("%s+= is taken as meant, but FreeBSD's sh(1) knows no += and runs it as a command", name)})
			value = vars[name] + value
		}
		if len(value) <= maxRC {
			vars[name] = value
		}
		line += strings.Count(rest[:1+used], "\n")
		text = rest[1+used:]
	}
	return vars, problems
}

// maxRC bounds a value: each may hold another twice.
const maxRC = 1 << 16

// rcValue reads a word of sh(1): quotes, backslashes, and names of earlier
// variables.
func rcValue(s string, vars map[string]string) (value string, used int, wrong string) {
	var b strings.Builder
	quote := byte(0)
	n := 0
	for ; n < len(s); n++ {
		c := s[n]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == '\'':
			b.WriteByte(c)
		case c == '\\' && n+1 < len(s):
			n++
			if s[n] == '\n' {
				break
			}
			if quote == '"' && strings.IndexByte("$`\"\\", s[n]) < 0 {
				b.WriteByte('\\')
			}
			b.WriteByte(s[n])
		case c == '$' && strings.HasPrefix(s[n+1:], "(") || c == '`':
			wrong = "it would run a command, and that is not done here"
			b.WriteByte(c)
		case c == '$':
			name, length := rcName(s[n+1:])
			if length > 0 {
				b.WriteString(vars[name])
				n += length
			} else {
				b.WriteByte(c)
			}
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && strings.IndexByte(" \t\r\n;", c) >= 0:
			return b.String(), n, wrong
		default:
			b.WriteByte(c)
		}
		if b.Len() > maxRC {
			wrong = "it is too long"
			b.Reset()
		}
	}
	if quote != 0 {
		wrong = "its quote is not closed"
	}
	return b.String(), n, wrong
}

// rcName reads the name behind a dollar, in braces or not.
func rcName(s string) (name string, length int) {
	if strings.HasPrefix(s, "{") {
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return "", 0
		}
		return s[1:end], end + 1
	}
	n := 0
	for n < len(s) && (s[n] == '_' || s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z' || n > 0 && s[n] >= '0' && s[n] <= '9') {
		n++
	}
	return s[:n], n
}

// yes is how rc.subr(8)'s checkyesno understands a value.
func yes(value string) bool {
	switch strings.ToLower(value) {
	case "yes", "true", "on", "1":
		return true
	}
	return false
}
