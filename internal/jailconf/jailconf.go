// Package jailconf reads jail.conf(5) and tells what jail(8) would make of one
// jail: every parameter with its variables replaced, its wildcards applied, and
// the line that it comes from.
//
// It reads what jail(8) reads and refuses what it refuses, so that a file is
// never understood in two ways. Nothing in it is run.
package jailconf

import (
	"errors"
	"fmt"
	"strings"
)

// Source is a file's name, for messages and for what is relative to it, and
// its text.
type Source struct {
	Name string
	Text string
}

// Pos is a place in a file. Line and Column count from 1, in bytes.
type Pos struct {
	File   string
	Line   int
	Column int
}

func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Error is one mistake.
type Error struct {
	Pos  Pos
	What string
}

func (e *Error) Error() string { return e.Pos.String() + ": " + e.What }

// Errors is every mistake of a file, in the order of its lines.
type Errors []*Error

func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Positions says where each mistake is, for a caller that shows the lines.
func Positions(err error) []Pos {
	var es Errors
	if !errors.As(err, &es) {
		return nil
	}
	at := make([]Pos, len(es))
	for i, e := range es {
		at[i] = e.Pos
	}
	return at
}

// Config is what the files say, before a jail is resolved.
type Config struct {
	sections []*section // in the order in which jail(8) meets them
	// unmatched are the patterns of .include that no file matched.
	unmatched []*Error
}

// Unmatched are the patterns of .include that no file matched, which jail(8)
// passes over: What is the pattern.
func (c *Config) Unmatched() []*Error { return c.unmatched }

// section is a block, or everything that stands outside of blocks.
type section struct {
	name   string // "*" for what stands outside
	pos    Pos
	params []*param
}

// param is one statement.
type param struct {
	name     string
	variable bool // its name stands behind a dollar
	add      bool // +=
	values   []value
	pos      Pos
	section  string
}

// value is one string, in the pieces between which variables stand.
type value struct {
	pieces []piece
	pos    Pos
}

type piece struct {
	text     string // of a variable: its name
	variable bool
}

// plain is the text of a value without variables.
func (v value) plain() (string, bool) {
	var b strings.Builder
	for _, p := range v.pieces {
		if p.variable {
			return "", false
		}
		b.WriteString(p.text)
	}
	return b.String(), true
}

// Jails names the jails that are defined, without the wildcards.
func (c *Config) Jails() []string {
	var names []string
	for _, s := range c.sections {
		if !isWild(s.name) {
			names = append(names, s.name)
		}
	}
	return names
}
