package jailconf

import (
	"fmt"
	"strconv"
	"strings"
)

// maxText bounds what variables can grow to: each may hold another twice.
const maxText = 1 << 20

// Jail is one jail with everything that applies to it.
type Jail struct {
	Name   string
	Params []Param // in the order in which jail(8) applies them
}

// Param is a parameter of a jail, with its variables replaced.
type Param struct {
	Name    string
	Values  []string // none for one that is only named
	Pos     Pos      // of the last statement that changed it
	Section string   // the block of that statement, "*" outside of blocks
}

// entry is a parameter while it is being put together.
type entry struct {
	param
	state  int // 0 not resolved, 1 on the way, 2 resolved
	failed bool
	final  []string
}

// resolver puts one jail together. It follows load_config and add_param in
// usr.sbin/jail/config.c.
type resolver struct {
	entries []*entry
	errs    Errors
	size    int
}

// Resolve tells what jail(8) knows of a jail. The error is an Errors.
func (c *Config) Resolve(name string) (*Jail, error) {
	r := &resolver{}
	own := -1
	for i, s := range c.sections {
		if s.name == name && !isWild(name) {
			if own >= 0 {
				// jail(8) would take either of the two.
				return nil, Errors{{s.pos, fmt.Sprintf("jail %q is defined already, at %s", name, c.sections[own].pos)}}
			}
			own = i
		}
	}
	if own < 0 {
		return nil, fmt.Errorf("no jail %q is defined; there are: %s", name, strings.Join(c.Jails(), " "))
	}
	implied := "name"
	if n, err := strconv.Atoi(name); err == nil && n != 0 {
		implied = "jid"
	}
	r.add(&param{name: implied, values: []value{{pieces: []piece{{text: name}}}}, pos: c.sections[own].pos, section: name})

	// A wildcard below the jail's own block overrides it, one above does not.
	for i, s := range c.sections {
		if i == own || isWild(s.name) && wildMatch(s.name, name) {
			for _, p := range s.params {
				r.add(p)
			}
		}
	}
	jail := &Jail{Name: name}
	for _, e := range r.entries {
		values := r.resolve(e)
		if !e.variable {
			jail.Params = append(jail.Params, Param{e.name, values, e.pos, e.section})
		}
	}
	if len(r.errs) > 0 {
		return nil, r.errs
	}
	return jail, nil
}

func (r *resolver) fail(at Pos, format string, args ...any) {
	r.errs = append(r.errs, &Error{at, fmt.Sprintf(format, args...)})
}

// add lets a statement replace, or lengthen, what stands there already. A
// parameter and its "no" form are the same, and the later form stays.
func (r *resolver) add(p *param) {
	for _, e := range r.entries {
		if !sameOption(e.name, p.name) {
			continue
		}
		switch {
		case e.variable != p.variable:
			r.fail(p.pos, "variable $%s has the name of a parameter", p.name)
		case e.name == "name" || e.name == "jid":
			r.fail(p.pos, "%s cannot be set: it is the name of the block", p.name)
		default:
			e.name, e.pos, e.section = p.name, p.pos, p.section
			if !p.add || len(p.values) == 0 {
				e.values = nil
			}
			e.values = append(e.values, p.values...)
		}
		return
	}
	if p.variable && IsOwn(p.name) {
		r.fail(p.pos, "variable $%s has the name of a parameter", p.name)
	}
	fresh := *p
	fresh.values = append([]value(nil), p.values...)
	r.entries = append(r.entries, &entry{param: fresh})
}

// resolve replaces the variables in an entry's values.
func (r *resolver) resolve(e *entry) []string {
	if e.state == 2 {
		return e.final
	}
	e.state = 1
	before := len(r.errs)
	for _, v := range e.values {
		e.final = append(e.final, r.text(e, v)...)
	}
	e.state, e.failed = 2, len(r.errs) > before
	return e.final
}

// text is what a value comes to: one string, or several where all of it is one
// variable that holds a list.
func (r *resolver) text(e *entry, v value) []string {
	var b strings.Builder
	alone := true // no more than one variable, and nothing around it
	for i, p := range v.pieces {
		alone = alone && (p.variable == (i == len(v.pieces)-1)) && (p.variable || p.text == "")
	}
	for _, p := range v.pieces {
		text := p.text
		if p.variable {
			values, ok := r.look(e, v, p.text)
			if !ok {
				return nil
			}
			if len(values) > 1 && alone {
				if !r.grow(e, v, strings.Join(values, ",")) {
					return nil
				}
				return values
			}
			if len(values) > 1 {
				r.fail(v.pos, "%s: $%s is a list and cannot stand within other text", e.name, p.text)
				return nil
			}
			text = values[0]
		}
		if !r.grow(e, v, text) {
			return nil
		}
		b.WriteString(text)
	}
	return []string{b.String()}
}

// grow counts what variables have come to so far.
func (r *resolver) grow(e *entry, v value, text string) bool {
	if r.size += len(text); r.size > maxText {
		r.fail(v.pos, "%s: its variables make the jail larger than %d bytes", e.name, maxText)
		return false
	}
	return true
}

// look finds the values of a variable, which may also be a parameter.
func (r *resolver) look(e *entry, v value, name string) ([]string, bool) {
	for _, other := range r.entries {
		if other.name != name {
			continue
		}
		if other.state == 1 {
			r.fail(v.pos, "%s: variable $%s refers to itself", e.name, name)
			return nil, false
		}
		values := r.resolve(other)
		if other.failed {
			return nil, false // said already
		}
		if len(values) == 0 {
			break
		}
		return values, true
	}
	r.fail(v.pos, "%s: variable $%s is not set", e.name, name)
	return nil, false
}
