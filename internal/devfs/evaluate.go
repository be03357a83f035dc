package devfs

import "fmt"

// DepthSetting is the sysctl(8) variable that says how deep includes are
// followed.
const DepthSetting = "vfs.devfs.rule_depth"

// DefaultDepth is what DepthSetting is unless somebody changed it: a set that is applied may include others, and those may include no more.
const DefaultDepth = 1

// maxSteps bounds the rules that one evaluation runs. A set that includes
// itself twice doubles them with every level of depth.
const maxSteps = 1 << 16

// Visible is a node that a jail sees, as the rules left it.
type Visible struct {
	Node
	User  string `json:"user,omitempty"` // "" where no rule changed it
	Group string `json:"group,omitempty"`
	// HasMode says that a rule set Mode.
	HasMode bool   `json:"has_mode,omitempty"`
	Mode    uint16 `json:"mode,omitempty"`
	// Shown is the rule that made the node visible again, or nil where none
	// ever hid it.
	Shown *Ref `json:"shown,omitempty"`
	// Against: it was seen in a /dev although the rules hide it.
	Against bool `json:"against_rules,omitempty"`
}

// Ref names a rule by its set and number.
type Ref struct {
	Set  int `json:"set"`
	Rule int `json:"rule"`
}

func (r Ref) String() string { return fmt.Sprintf("rule %d of set %d", r.Rule, r.Set) }

// step is a rule that the kernel would run and the conditions of the includes
// that lead to it.
type step struct {
	guards []Rule
	rule   Rule
	ref    Ref
}

// Unfollowed is an include that the kernel passes over in silence.
type Unfollowed struct {
	Ref
	Include int   `json:"include"`
	Via     []Ref `json:"via"` // the includes that led there, outermost first
}

// flatten lists the rules of a set in the order in which they run, with the
// rules of included sets in the place of the include (devfs_rule_run in
// sys/fs/devfs/devfs_rule.c), and the includes beyond the depth.
func (s Rulesets) flatten(number, depth int) (steps []step, beyond []Unfollowed, err error) {
	var walk func(number, depth int, guards []Rule, via []Ref) error
	walk = func(number, depth int, guards []Rule, via []Ref) error {
		set := s[number]
		if set == nil {
			return nil
		}
		for _, r := range set.Rules {
			ref := Ref{number, r.Number}
			if len(steps)+len(beyond) >= maxSteps {
				return fmt.Errorf("rule set %d includes itself too often: more than %d rules to run", number, maxSteps)
			}
			steps = append(steps, step{guards, r, ref})
			if r.Include == 0 {
				continue
			}
			if depth <= 0 {
				beyond = append(beyond, Unfollowed{ref, r.Include, append([]Ref(nil), via...)})
				continue
			}
			inner := guards
			if r.HasPath || r.Types != 0 {
				inner = append(guards[:len(guards):len(guards)], r)
			}
			if err := walk(r.Include, depth-1, inner, append(via, ref)); err != nil {
				return err
			}
		}
		return nil
	}
	err = walk(number, depth, nil, nil)
	return steps, beyond, err
}

// Evaluate lists what a devfs mount shows when the kernel applies a rule set
// with the given include depth to these nodes. The directories that they imply
// are added. A node is gone when it is hidden itself or below a hidden
// directory; a later unhide brings it back, but not its directory.
func (s Rulesets) Evaluate(number, depth int, nodes []Node) ([]Visible, error) {
	steps, _, err := s.flatten(number, depth)
	if err != nil {
		return nil, err
	}
	var seen []Visible
	hidden := map[string]bool{}
	for _, n := range withParents(nodes) {
		v := Visible{Node: n}
		for _, st := range steps {
			if st.applies(n) {
				v.apply(st, hidden)
			}
		}
		seen = append(seen, v)
	}
	visible := seen[:0]
	for _, v := range seen {
		gone := hidden[v.Path]
		for _, dir := range Parents(v.Path) {
			gone = gone || hidden[dir]
		}
		if !gone {
			visible = append(visible, v)
		}
	}
	return visible, nil
}

func (st step) applies(n Node) bool {
	for _, g := range st.guards {
		if !g.matches(n) {
			return false
		}
	}
	return st.rule.matches(n)
}

// apply does what a rule says, in the kernel's order: a rule that says both
// hides first and unhides then.
func (v *Visible) apply(st step, hidden map[string]bool) {
	r := st.rule
	if r.Hide {
		hidden[v.Path] = true
	}
	if r.Unhide && hidden[v.Path] {
		hidden[v.Path] = false
		v.Shown = &st.ref
	}
	if r.User != "" {
		v.User = r.User
	}
	if r.Group != "" {
		v.Group = r.Group
	}
	if r.HasMode {
		v.HasMode, v.Mode = true, r.Mode
	}
}
