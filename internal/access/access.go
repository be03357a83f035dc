// Package access says who of a host's users may do what with a cell: it looks up the names in the access blocks of
// a cell file, and decides by the numbers that the kernel says of whoever asks.
package access

import (
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"skep/internal/cell"
)

// Who asks, as the kernel says.
type Who struct {
	UID    int
	Groups []int
}

// Rules are access blocks with numbers in the place of names.
type Rules struct{ blocks []rule }

type rule struct {
	users, groups []int
	may           []string
}

// Resolve looks up every name. There is an error for each that this host does not know, with its block's number in
// the cell file, from 0.
func Resolve(blocks []cell.Access) (Rules, []Unknown) {
	var r Rules
	var wrong []Unknown
	for i, b := range blocks {
		rule := rule{may: b.May}
		for _, name := range b.Users {
			n, err := number(name, userNumber)
			if err != nil {
				wrong = append(wrong, Unknown{i, "user", name, err})
				continue
			}
			rule.users = append(rule.users, n)
		}
		for _, name := range b.Groups {
			n, err := number(name, groupNumber)
			if err != nil {
				wrong = append(wrong, Unknown{i, "group", name, err})
				continue
			}
			rule.groups = append(rule.groups, n)
		}
		r.blocks = append(r.blocks, rule)
	}
	return r, wrong
}

// Unknown is a name that this host does not know.
type Unknown struct {
	Block      int
	Kind, Name string
	Err        error
}

func (u Unknown) Error() string { return fmt.Sprintf("%s %s: %v", u.Kind, u.Name, u.Err) }

// Unwrap is the cause.
func (u Unknown) Unwrap() error { return u.Err }

// maxID is the highest number of an account; the one above means none.
const maxID = 1<<32 - 2

// number is a number as it is, and of a name what the host says. An account that is called by a number is not
// asked for: the number is.
func number(name string, lookup func(string) (string, error)) (int, error) {
	text := name
	if strings.Trim(name, "0123456789") != "" {
		var err error
		if text, err = lookup(name); err != nil {
			return 0, err
		}
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n > maxID {
		return 0, fmt.Errorf("%s is no number of an account", text)
	}
	return int(n), nil
}

func userNumber(name string) (string, error) {
	u, err := user.Lookup(name)
	if errors.As(err, new(user.UnknownUserError)) {
		return "", errors.New("this host has no such user")
	}
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

func groupNumber(name string) (string, error) {
	g, err := user.LookupGroup(name)
	if errors.As(err, new(user.UnknownGroupError)) {
		return "", errors.New("this host has no such group")
	}
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}

// Name is a user's name, or the number where there is none.
func Name(uid int) string {
	number := strconv.Itoa(uid)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return number
}

// May lists what somebody may, in the order of cell.AllRights.
func (r Rules) May(who Who) (may []string) {
	for _, b := range r.blocks {
		if b.covers(who) {
			may = append(may, b.may...)
		}
	}
	return slices.DeleteFunc(cell.AllRights(), func(right string) bool { return !slices.Contains(may, right) })
}

func (r rule) covers(who Who) bool {
	return slices.Contains(r.users, who.UID) ||
		slices.ContainsFunc(r.groups, func(g int) bool { return slices.Contains(who.Groups, g) })
}
