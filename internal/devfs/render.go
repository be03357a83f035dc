package devfs

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Grant is one node that a cell may use, named exactly.
type Grant struct {
	Path string `json:"path"`
	// Owned gives the node to UID with mode 0600; without it the node keeps
	// the owner and the mode that its driver gave it.
	Owned bool `json:"owned,omitempty"`
	UID   int  `json:"uid,omitempty"`
}

// CellRules are the rules that hide everything and then show these nodes and
// the directories above them: no include, so the depth does not matter, and no
// glob, so a node that is made later stays hidden unless it is one of these.
func CellRules(grants []Grant) ([]Rule, error) {
	rules := []Rule{{Hide: true}}
	done := map[string]bool{}
	show := func(name string) *Rule {
		rules = append(rules, Rule{HasPath: true, Path: escape(name), Unhide: true})
		done[name] = true
		return &rules[len(rules)-1]
	}
	for _, g := range grants {
		if err := checkNode(g.Path); err != nil {
			return nil, err
		}
		for _, dir := range Parents(g.Path) {
			if !done[dir] {
				show(dir)
			}
		}
		if done[g.Path] {
			if !g.Owned {
				continue
			}
			return nil, fmt.Errorf("node %q is granted twice", g.Path)
		}
		r := show(g.Path)
		if g.Owned {
			r.User, r.HasMode, r.Mode = strconv.Itoa(g.UID), true, 0o600
		}
	}
	for i := range rules {
		rules[i].Number = 100 * (i + 1)
		if rules[i].Number > 0xffff {
			return nil, fmt.Errorf("%d nodes are more than a rule set holds", len(rules))
		}
	}
	return rules, nil
}

// checkNode refuses what is not the name of a node: such a rule would match nothing
// or something else.
func checkNode(name string) error {
	switch {
	case name == "" || name[0] == '/' || path.Clean(name) != name || strings.HasPrefix(name, ".."):
		return fmt.Errorf("%q is not a path below /dev", name)
	case strings.ContainsAny(name, "\x00\n\r"):
		return fmt.Errorf("%q cannot be the name of a device", name)
	case len(escape(name)) > MaxPattern:
		return fmt.Errorf("%q is too long for a devfs rule: at most %d characters", name, MaxPattern)
	}
	return nil
}

// Planned lists what /dev shows under CellRules: the nodes and the directories
// above them.
func Planned(grants []Grant) []string {
	nodes := make([]Node, len(grants))
	for i, g := range grants {
		nodes[i].Path = g.Path
	}
	all := withParents(nodes)
	paths := make([]string, len(all))
	for i, n := range all {
		paths[i] = n.Path
	}
	return paths
}

// Commands are the devfs(8) commands that make a rule set anew.
func Commands(number int, rules []Rule) [][]string {
	set := []string{"devfs", "rule", "-s", strconv.Itoa(number)}
	argvs := [][]string{append(set[:4:4], "delset")}
	for _, r := range rules {
		argvs = append(argvs, append(append(set[:4:4], "add"), r.Words()...))
	}
	return argvs
}

// Text is the set as a section of devfs.rules(5). Its words are quoted for
// both readers of that file: the shell's read takes every backslash once, its
// eval the quotes.
func (set *Ruleset) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%s=%d]\n", set.Name, set.Number)
	for _, r := range set.Rules {
		words := []string{"add"}
		for _, w := range r.Words() {
			words = append(words, quote(w))
		}
		b.WriteString(strings.Join(words, " ") + "\n")
	}
	return b.String()
}

func quote(word string) string {
	plain := word != ""
	for i := 0; i < len(word) && plain; i++ {
		c := word[i]
		plain = c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("_-./:=,+@%", c) >= 0
	}
	if !plain {
		word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return strings.ReplaceAll(word, `\`, `\\`)
}
