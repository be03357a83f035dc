package devfs

import (
	"fmt"
	"strconv"
	"strings"
)

// Problem is something in a rules file that does not do what it seems to.
type Problem struct {
	File string `json:"file"`
	Line int    `json:"line"`
	What string `json:"what"`
	// Fatal: rc(8) stops reading the file here.
	Fatal bool `json:"fatal,omitempty"`
}

func (p Problem) String() string { return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.What) }

// Loader reads rules files one after the other, as rc(8) does at boot with
// those of devfs_rulesets in rc.conf(5): /etc/defaults/devfs.rules, then
// /etc/devfs.rules. A set that appears again replaces the earlier one.
//
// It follows devfs_rulesets_from_file in rc.subr(8) in what surprises people:
// the first line that fails ends the file and takes every later set with it,
// `$name` works only below the section that defines it, and a last line
// without a newline is never read.
type Loader struct {
	Sets     Rulesets
	Problems []Problem

	names   map[string]string
	current int // the section that lines belong to; it outlives the file
}

// Load reads one file.
func (l *Loader) Load(file, text string) {
	if l.Sets == nil {
		l.Sets, l.names = Rulesets{}, map[string]string{}
	}
	lines, unread := shellLines(text)
	for i, line := range lines {
		what := l.line(file, line)
		if what == "" {
			continue
		}
		if lost := sections(lines[i+1:]); len(lost) > 0 {
			what += "; rc(8) stops here and never loads " + strings.Join(lost, " ")
		}
		l.Problems = append(l.Problems, Problem{file, line.number, what, true})
		return
	}
	if unread.text != "" {
		l.Problems = append(l.Problems, Problem{file, unread.number,
			"the last line has no newline, so rc(8) does not read it: " + unread.text, false})
	}
}

// line takes one line and says what is wrong with it.
func (l *Loader) line(file string, line textLine) (wrong string) {
	text := line.text
	if text == "" || text[0] == '#' {
		return ""
	}
	if text[0] == '[' && strings.Contains(text, "]") {
		return l.section(file, line)
	}
	words, unknown, err := shellWords(text, l.names)
	if err != nil {
		return err.Error()
	}
	if len(words) == 0 && len(unknown) == 0 {
		return ""
	}
	if l.current == 0 {
		return "a rule stands before the first [name=number]"
	}
	if len(words) == 0 || words[0] != "add" {
		return fmt.Sprintf("%q adds no rule; only add is read here", text)
	}
	r, err := ParseRule(words[1:])
	if err != nil && len(unknown) > 0 {
		return fmt.Sprintf("$%s is not defined above this line, so %s", unknown[0], err)
	}
	if err != nil {
		return err.Error()
	}
	return l.add(r)
}

// section begins or replaces a set.
func (l *Loader) section(file string, line textLine) (wrong string) {
	end := strings.LastIndexByte(line.text, ']')
	name, number, ok := cutLast(line.text[1:end], "=")
	n, err := strconv.ParseUint(number, 10, 16)
	if !ok || name == "" || err != nil || n == 0 {
		return fmt.Sprintf("%q is not [name=number] with a number from 1 to 65535", line.text)
	}
	if isName(name) {
		l.names[name] = number
	} else {
		l.Problems = append(l.Problems, Problem{file, line.number,
			fmt.Sprintf("%q is not a name for sh(1): $%s cannot refer to it", name, name), false})
	}
	l.current = int(n)
	l.Sets[l.current] = &Ruleset{Number: l.current, Name: name}
	return ""
}

// add puts a rule where the kernel would (devfs_rule_insert).
func (l *Loader) add(r Rule) (wrong string) {
	set := l.Sets[l.current]
	if r.Include != 0 && !l.Sets.exists(r.Include) {
		return fmt.Sprintf("rule set %d does not exist yet, so it cannot be included", r.Include)
	}
	return set.insert(r)
}

func (set *Ruleset) insert(r Rule) (wrong string) {
	if r.Number == 0 {
		r.Number = 100
		if n := len(set.Rules); n > 0 {
			r.Number += set.Rules[n-1].Number
		}
		if r.Number > 0xffff {
			return "the set has no rule number left"
		}
	}
	at := 0
	for at < len(set.Rules) && set.Rules[at].Number < r.Number {
		at++
	}
	if at < len(set.Rules) && set.Rules[at].Number == r.Number {
		return fmt.Sprintf("the set has a rule %d already", r.Number)
	}
	set.Rules = append(set.Rules[:at], append([]Rule{r}, set.Rules[at:]...)...)
	return ""
}

// textLine is a line after the shell's read, with the number of its first line.
type textLine struct {
	number int
	text   string
}

// shellLines splits a text as `while read line` does: a backslash takes the
// next character literally and joins lines, white space at both ends goes, and
// what follows the last newline is not read.
func shellLines(text string) (lines []textLine, unread textLine) {
	var b strings.Builder
	number, start := 1, 1
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			if text[i] == '\n' {
				number++
			} else {
				b.WriteByte(text[i])
			}
		case c == '\n':
			lines = append(lines, textLine{start, strings.Trim(b.String(), " \t")})
			b.Reset()
			number++
			start = number
		case c != '\\' && c != 0: // sh(1) drops NUL bytes
			b.WriteByte(c)
		}
	}
	return lines, textLine{start, strings.Trim(b.String(), " \t")}
}

// sections names the sections that begin on these lines.
func sections(lines []textLine) []string {
	var names []string
	for _, l := range lines {
		if end := strings.LastIndexByte(l.text, ']'); end > 0 && l.text[0] == '[' {
			names = append(names, l.text[:end+1])
		}
	}
	return names
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
