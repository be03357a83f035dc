package devfs

import "strings"

// match reports whether a rule's pattern matches the name of a node, as
// fnmatch(3) with FNM_PATHNAME does in the kernel (devfs_rule_matchpath in
// sys/fs/devfs/devfs_rule.c, sys/libkern/fnmatch.c): `*`, `?` and a bracket
// never match a slash, a backslash takes the next character literally, and a
// bracket that is never closed is an ordinary character.
//
// No star can cross a slash, so it is enough to remember the last one: the
// search is linear in the product of both lengths, whoever wrote the pattern.
func match(pattern, name string) bool {
	p, n := 0, 0
	star, mark := -1, 0 // where the last star's rest begins, and what it tried last
	for {
		if p < len(pattern) && pattern[p] == '*' {
			p++
			star, mark = p, n
			continue
		}
		if p == len(pattern) && n == len(name) {
			return true
		}
		if p < len(pattern) && n < len(name) {
			if next, ok := matchOne(pattern, p, name[n]); ok {
				if name[n] == '/' {
					star = -1
				}
				p, n = next, n+1
				continue
			}
		}
		if star < 0 || mark >= len(name) || name[mark] == '/' {
			return false
		}
		mark++
		p, n = star, mark
	}
}

// matchOne matches one character against the pattern's element at p, which is
// no star, and returns where the next element begins.
func matchOne(pattern string, p int, c byte) (next int, ok bool) {
	switch pattern[p] {
	case '?':
		return p + 1, c != '/'
	case '[':
		if c == '/' {
			return 0, false
		}
		next, ok, closed := matchBracket(pattern, p+1, c)
		if closed {
			return next, ok
		}
		return p + 1, c == '['
	case '\\':
		if p+1 < len(pattern) {
			p++
		}
	}
	return p + 1, pattern[p] == c
}

// matchBracket matches c against the bracket expression whose first character
// is at p. It is not closed where the pattern ends before its `]`. A slash
// inside makes it match nothing.
func matchBracket(pattern string, p int, c byte) (next int, ok, closed bool) {
	negate := p < len(pattern) && (pattern[p] == '!' || pattern[p] == '^')
	if negate {
		p++
	}
	for first := true; ; first = false {
		if p >= len(pattern) {
			return 0, false, false
		}
		if pattern[p] == ']' && !first {
			return p + 1, ok != negate, true
		}
		low, after, more := bracketChar(pattern, p)
		if !more {
			return 0, false, false
		}
		if low == '/' {
			return len(pattern), false, true
		}
		high := low
		if strings.HasPrefix(pattern[after:], "-") && after+1 < len(pattern) && pattern[after+1] != ']' {
			if high, after, more = bracketChar(pattern, after+1); !more {
				return 0, false, false
			}
		}
		if low <= c && c <= high {
			ok = true
		}
		p = after
	}
}

// bracketChar reads one character of a bracket, escaped or not.
func bracketChar(pattern string, p int) (c byte, after int, ok bool) {
	if pattern[p] == '\\' {
		p++
	}
	if p >= len(pattern) {
		return 0, 0, false
	}
	return pattern[p], p + 1, true
}

// isGlob says whether a pattern can match more than one name.
func isGlob(pattern string) bool {
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '*', '?', '[':
			return true
		}
	}
	return false
}

// escape makes a pattern that matches one name and no other.
func escape(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// literal is the one name that a pattern without globs matches.
func literal(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] == '\\' && i+1 < len(pattern) {
			i++
		}
		b.WriteByte(pattern[i])
	}
	return b.String()
}
