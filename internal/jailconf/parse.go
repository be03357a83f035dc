package jailconf

import (
	"fmt"
	"strings"
)

// Include finds the files that an include statement in the file from names. A
// pattern may match none; a plain name must exist.
type Include func(from, pattern string) ([]Source, error)

// Parse reads a file and what it includes. Without an Include function an
// include is a mistake. The error is an Errors.
func Parse(src Source, include Include) (*Config, error) {
	p := &parser{config: &Config{}, include: include}
	p.parse(src)
	if len(p.errs) > 0 {
		return nil, p.errs
	}
	return p.config, nil
}

type parser struct {
	config   *Config
	global   *section
	open     []*section // the blocks that are not closed yet
	include  Include
	depth    int
	included int
	errs     Errors

	lex *lexer
	tok token
}

func (p *parser) parse(src Source) {
	lex, tok := p.lex, p.tok // of the file that includes this one
	p.lex = &lexer{file: src.Name, text: src.Text, line: 1, errs: &p.errs}
	p.advance()
	base := len(p.open)
	for p.tok.kind != tokEnd {
		p.statement(base)
	}
	for _, s := range p.open[base:] {
		p.fail(s.pos, "the block of jail %q is not closed with }", s.name)
	}
	p.open = p.open[:base]
	p.lex, p.tok = lex, tok
}

func (p *parser) advance() { p.tok = p.lex.next() }

func (p *parser) fail(at Pos, format string, args ...any) {
	p.errs = append(p.errs, &Error{at, fmt.Sprintf(format, args...)})
}

func (p *parser) is(mark string) bool { return p.tok.kind == tokMark && p.tok.mark == mark }

// statement reads one statement, or the beginning or the end of a block.
func (p *parser) statement(base int) {
	at := p.tok.pos
	switch {
	case p.is(";"):
		p.advance()
		return
	case p.is("}"):
		p.advance()
		if len(p.open) == base {
			p.fail(at, "this } closes no block")
			return
		}
		p.open = p.open[:len(p.open)-1]
		return
	case p.tok.kind == tokBad:
		p.recover()
		return
	case p.tok.kind != tokWord:
		p.fail(at, "%s stands where a parameter's or a jail's name should be", p.tok)
		p.recover()
		return
	}
	name := p.tok
	p.advance()
	if p.is("{") {
		p.block(name)
		return
	}
	if len(name.pieces) != 1 {
		p.fail(at, "a name is one word or one string in quotes, not several in a row")
		p.recover()
		return
	}
	st := &param{name: name.pieces[0].text, variable: name.pieces[0].variable, pos: at}
	assigned := false
	switch {
	case p.is("=") || p.is("+="):
		st.add = p.tok.mark == "+="
		assigned = true
		p.advance()
		fallthrough
	case p.tok.kind == tokWord:
		if !p.values(st) {
			return
		}
	}
	if !p.is(";") {
		if p.tok.kind != tokBad {
			p.fail(p.tok.pos, "%s stands where ; should end the statement of line %d", p.tok, at.Line)
		}
		p.recover()
		return
	}
	p.advance()
	if st.name == ".include" && !st.variable && !assigned && len(st.values) > 0 {
		p.includes(st)
		return
	}
	p.add(st)
}

// values reads a list of strings with commas between them.
func (p *parser) values(st *param) bool {
	for {
		if p.tok.kind != tokWord {
			if p.tok.kind != tokBad {
				p.fail(p.tok.pos, "%s stands where a value of %q should be", p.tok, st.name)
			}
			p.recover()
			return false
		}
		st.values = append(st.values, value{p.tok.pieces, p.tok.pos})
		p.advance()
		if !p.is(",") {
			return true
		}
		p.advance()
	}
}

// block opens the block of a jail. Within another it is that jail's child.
func (p *parser) block(name token) {
	text, ok := value{pieces: name.pieces}.plain()
	switch {
	case !ok:
		p.fail(name.pos, "a jail's name cannot hold variables")
	case len(name.pieces) > 1:
		p.fail(name.pos, "jail(8) takes %s as a name only in quotes", text)
	}
	if n := len(p.open); n > 0 {
		text = p.open[n-1].name + "." + text
	}
	s := &section{name: text, pos: name.pos}
	p.config.sections = append(p.config.sections, s)
	p.open = append(p.open, s)
	p.advance()
}

// add puts a statement into the block it stands in. Everything outside of
// blocks is one wildcard, which stands where the first such statement does.
func (p *parser) add(st *param) {
	s := p.global
	if n := len(p.open); n > 0 {
		s = p.open[n-1]
	} else if s == nil {
		s = &section{name: "*", pos: st.pos}
		p.global = s
		p.config.sections = append(p.config.sections, s)
	}
	st.section = s.name
	s.params = append(s.params, st)
}

// recover goes on behind the next ; or before the next }, so that one mistake
// does not hide the others.
func (p *parser) recover() {
	for p.tok.kind != tokEnd && !p.is("}") {
		end := p.is(";") || p.is("{")
		p.advance()
		if end {
			return
		}
	}
}

// String is a token as a message names it.
func (t token) String() string {
	switch t.kind {
	case tokEnd:
		return "the end of the file"
	case tokMark:
		return `"` + t.mark + `"`
	}
	text, _ := value{pieces: t.pieces}.plain()
	return fmt.Sprintf("%q", text)
}

// isWild says whether a section's name is a wildcard: one of its parts, cut at
// dots, is a star.
func isWild(name string) bool {
	for part := range strings.SplitSeq(name, ".") {
		if part == "*" {
			return true
		}
	}
	return false
}
