package cell

import (
	"fmt"
	"slices"
	"strings"
)

// Access is what other users of the host than root may do with a cell of root's while it has a keeper.
type Access struct {
	Users  []string `json:"users,omitempty"`  // names or numbers
	Groups []string `json:"groups,omitempty"` // names or numbers
	May    []string `json:"may"`
}

// What an access block may give.
const (
	MayConsole = "console" // join the console and type there
	MayScreen  = "screen"  // see the screen, and use keyboard and pointer
	MayPower   = "power"   // the power button, the plug, pause and resume
	MayRead    = "read"    // logs, and all that skep show says
)

// AllRights are all that an access block may give.
func AllRights() []string { return []string{MayConsole, MayScreen, MayPower, MayRead} }

var accessBlock = block[Access]{
	attrs: []attr[Access]{
		at("users", list(text(accountRule), true), func(a *Access) *[]string { return &a.Users }),
		at("groups", list(text(accountRule), true), func(a *Access) *[]string { return &a.Groups }),
		at("may", list(text(rightRule), true), func(a *Access) *[]string { return &a.May }),
	},
	fresh: func() Access { return Access{} },
	check: func(r *reader, path string, a *Access) {
		r.need(path, "may", `may = ["read"]`)
		if users, groups := under(path, "users"), under(path, "groups"); !r.said(users) && !r.said(groups) {
			r.lacks(path, wrong("needs users or groups").but(`add users = ["analyst"]`))
		} else if len(a.Users)+len(a.Groups) == 0 && !r.bad(users) && !r.bad(groups) {
			r.lacks(path, wrong("names nobody").but("leave the block out to give nobody access"))
		}
		if at := under(path, "may"); r.said(at) && len(a.May) == 0 && !r.bad(at) {
			r.at(at, "may", wrong("must not be empty").but("leave the block out to give nobody access"))
		}
	},
}

// accountRule is for names of users and groups, which are the host's to know, and for their numbers.
func accountRule(s string) *mistake {
	const most = 256
	switch {
	case s == "":
		return wrong("must not be empty")
	case len(s) > most:
		return wrong("has %d characters, at most %d are allowed", len(s), most)
	case strings.HasPrefix(s, "-"), strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == ':' || r == ',' || r == '/' || r == 0x7f }):
		return wrong("must be the name or the number of an account")
	}
	return nil
}

func rightRule(s string) *mistake {
	if slices.Contains(AllRights(), s) {
		return nil
	}
	m := wrong("must be %s", oneOf(AllRights()))
	if c := closest(s, AllRights()); c != "" {
		m.but("did you mean %q?", c)
	}
	return m
}

// Who names whom a block is for.
func (a Access) Who() string {
	var who []string
	if len(a.Users) > 0 {
		who = append(who, plural("user", a.Users))
	}
	if len(a.Groups) > 0 {
		who = append(who, plural("group", a.Groups))
	}
	return strings.Join(who, " and ")
}

func plural(what string, names []string) string {
	if len(names) > 1 {
		what += "s"
	}
	return fmt.Sprintf("%s %s", what, strings.Join(names, ", "))
}
