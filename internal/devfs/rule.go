package devfs

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxPattern is the longest pattern that the kernel keeps: DEVFS_MAXPTRNLEN
// less its terminating NUL.
const MaxPattern = 199

// Rule is one rule: conditions that must all hold, and what is then done to
// the node (struct devfs_rule in sys/fs/devfs/devfs.h). A rule without a
// condition matches every node.
type Rule struct {
	Number int `json:"number,omitempty"` // 0: the kernel takes the set's last plus 100

	Types   Type   `json:"types,omitempty"` // any of these, 0 for no condition
	HasPath bool   `json:"has_path,omitempty"`
	Path    string `json:"path,omitempty"` // a glob

	Hide    bool   `json:"hide,omitempty"`
	Unhide  bool   `json:"unhide,omitempty"`
	User    string `json:"user,omitempty"` // a name or a number
	Group   string `json:"group,omitempty"`
	HasMode bool   `json:"has_mode,omitempty"`
	Mode    uint16 `json:"mode,omitempty"`
	Include int    `json:"include,omitempty"` // a rule set's number
}

// ParseRule reads the words that devfs(8) takes after `rule add`, and in its
// order: a number, conditions, actions.
func ParseRule(words []string) (Rule, error) {
	var r Rule
	if len(words) == 0 {
		return r, fmt.Errorf("the rule is empty")
	}
	if n, err := strconv.ParseUint(words[0], 10, 16); err == nil {
		r.Number, words = int(n), words[1:]
	}
	conditions := true
	for len(words) > 0 {
		word := words[0]
		if word == "hide" || word == "unhide" {
			r.Hide = r.Hide || word == "hide"
			r.Unhide = r.Unhide || word == "unhide"
			conditions, words = false, words[1:]
			continue
		}
		isCondition := word == "path" || word == "type"
		if isCondition && !conditions {
			return r, fmt.Errorf("%q stands after an action: conditions come first", word)
		}
		if !isCondition && word != "user" && word != "group" && word != "mode" && word != "include" {
			return r, fmt.Errorf("%q is neither a condition nor an action", word)
		}
		if len(words) < 2 || words[1] == "" && word != "path" {
			return r, fmt.Errorf("%q has no value", word)
		}
		if err := r.set(word, words[1]); err != nil {
			return r, err
		}
		conditions, words = isCondition, words[2:]
	}
	return r, nil
}

// set is one keyword with its value.
func (r *Rule) set(word, value string) error {
	switch word {
	case "path":
		r.HasPath, r.Path = true, value
		if len(value) > MaxPattern {
			return fmt.Errorf("the pattern is longer than %d characters; devfs(8) would cut it off", MaxPattern)
		}
	case "type":
		for _, t := range typeNames {
			if t.name == value {
				r.Types |= t.bit
				return nil
			}
		}
		return fmt.Errorf("%q is not a type: one of disk, mem, tape, tty", value)
	case "user":
		r.User = value
	case "group":
		r.Group = value
	case "mode":
		mode, err := parseMode(value)
		if err != nil {
			return err
		}
		r.HasMode, r.Mode = true, mode
	case "include":
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil {
			return fmt.Errorf("%q is not the number of a rule set", value)
		}
		if n == 0 {
			return fmt.Errorf("rule set 0 cannot be included: it never exists")
		}
		r.Include = int(n)
	}
	return nil
}

// Words is the rule as devfs(8) takes it after `rule add`, and as it prints it.
func (r Rule) Words() []string {
	var w []string
	if r.Number != 0 {
		w = append(w, strconv.Itoa(r.Number))
	}
	for _, t := range typeNames {
		if r.Types&t.bit != 0 {
			w = append(w, "type", t.name)
		}
	}
	if r.HasPath {
		w = append(w, "path", r.Path)
	}
	if r.Hide {
		w = append(w, "hide")
	}
	if r.Unhide {
		w = append(w, "unhide")
	}
	if r.User != "" {
		w = append(w, "user", r.User)
	}
	if r.Group != "" {
		w = append(w, "group", r.Group)
	}
	if r.HasMode {
		w = append(w, "mode", strconv.FormatUint(uint64(r.Mode), 8))
	}
	if r.Include != 0 {
		w = append(w, "include", strconv.Itoa(r.Include))
	}
	return w
}

// String is the rule as `devfs rule show` prints it.
func (r Rule) String() string { return strings.Join(r.Words(), " ") }

// matches says whether the rule's conditions hold for a node. Directories and
// links have no driver and so no type (devfs_rule_match); a directory is
// matched by its whole path since FreeBSD 11, by its last name before.
func (r Rule) matches(n Node) bool {
	if r.Types != 0 && (n.Kind != Device || n.Type&r.Types == 0) {
		return false
	}
	return !r.HasPath || match(r.Path, n.Path)
}

// Name is the one node that the rule's path matches; it is not exact where
// there is no path, or a glob.
func (r Rule) Name() (name string, exact bool) {
	if !r.HasPath || isGlob(r.Path) {
		return "", false
	}
	return literal(r.Path), true
}
