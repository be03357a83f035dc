// Package devfs knows the rules by which FreeBSD decides what a jail sees in
// its /dev: it reads rule sets, evaluates them as the kernel does, writes the
// exact set that one cell needs, and hands it to the kernel.
//
// Everything but the last step is pure, so that what a rule set of a FreeBSD
// host really shows can be told, and tested, on any machine.
//
// # Why ioctls and not devfs(8)
//
// The kernel takes rules through ioctl(2) on any open devfs directory. The
// structure behind it holds no pointer and no long, is the same on every
// architecture and has been shared verbatim between kernel and userland since
// 2002 (sys/fs/devfs/devfs.h), so it is 236 bytes that can be tested byte for
// byte. devfs(8) would cost one process for each rule, reports every failure
// as exit status 1 with a line of English, and looks names up in the host's
// password file where we mean a number. An ioctl returns the errno: EEXIST for
// a rule number that is taken, ESRCH for an included set that is not there.
//
// # What is not modelled
//
// A node that was made with the credentials of one jail is hidden from every
// other jail by prison_check (devfs_prison_check in sys/fs/devfs/devfs_vnops.c),
// whatever the rules say. Credentials cannot be seen from outside, so Evaluate
// ignores them: it may name a node too many, never one too few.
package devfs

import (
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
)

// Kind is what a node of devfs is.
type Kind int

// The kinds of nodes.
const (
	Device    Kind = iota // a character device; devfs has no block devices
	Directory             // made by the kernel for a device with a slash in its name
	Symlink               // an alias of a driver, or a link that somebody made
)

var kindNames = []string{"device", "directory", "symlink"}

// MarshalText writes a kind by its name.
func (k Kind) MarshalText() ([]byte, error) {
	if k < 0 || int(k) >= len(kindNames) {
		return nil, fmt.Errorf("no kind of node is %d", int(k))
	}
	return []byte(kindNames[k]), nil
}

// UnmarshalText reads what MarshalText wrote.
func (k *Kind) UnmarshalText(b []byte) error {
	i := slices.Index(kindNames, string(b))
	if i < 0 {
		return fmt.Errorf("no kind of node is %q", b)
	}
	*k = Kind(i)
	return nil
}

// Type is the type condition of a rule, and what a driver says of its device.
// The bits are those of struct cdevsw's d_flags in sys/sys/conf.h.
type Type uint32

// The types that a rule can ask for.
const (
	Tape Type = 1 << iota
	Disk
	TTY
	Mem
)

// typeNames is in the order in which devfs(8) prints them.
var typeNames = []struct {
	name string
	bit  Type
}{{"disk", Disk}, {"mem", Mem}, {"tape", Tape}, {"tty", TTY}}

// Node is one entry of a /dev, named by its path below it: "vmm/web", never
// "/dev/vmm/web".
type Node struct {
	Path string `json:"path"`
	Kind Kind   `json:"kind"`
	Type Type   `json:"type,omitempty"`
}

// Ruleset is a numbered list of rules in the order in which they run.
type Ruleset struct {
	Number int    `json:"number"`
	Name   string `json:"name,omitempty"` // only a rules file has names, the kernel has none
	Rules  []Rule `json:"rules"`
}

// Rulesets is every rule set of a host by its number.
type Rulesets map[int]*Ruleset

// Find looks a rule set up by its name in a rules file.
func (s Rulesets) Find(name string) (*Ruleset, bool) {
	for _, n := range s.Numbers() {
		if s[n].Name == name && name != "" {
			return s[n], true
		}
	}
	return nil, false
}

// Numbers lists the numbers in ascending order.
func (s Rulesets) Numbers() []int {
	numbers := make([]int, 0, len(s))
	for n := range s {
		numbers = append(numbers, n)
	}
	sort.Ints(numbers)
	return numbers
}

// exists says whether the kernel knows a set: it makes one with its first
// rule or its first reference and forgets it with the last of both
// (devfs_ruleset_reap in sys/fs/devfs/devfs_rule.c). Set 0 never exists.
func (s Rulesets) exists(number int) bool {
	if number == 0 {
		return false
	}
	if set := s[number]; set != nil && len(set.Rules) > 0 {
		return true
	}
	for _, set := range s {
		for _, r := range set.Rules {
			if r.Include == number {
				return true
			}
		}
	}
	return false
}

// Parents lists the directories above a node, outermost first.
func Parents(node string) []string {
	var dirs []string
	for dir := path.Dir(node); dir != "." && dir != "/"; dir = path.Dir(dir) {
		dirs = append([]string{dir}, dirs...)
	}
	return dirs
}

// withParents adds every directory that a node implies and sorts by path.
func withParents(nodes []Node) []Node {
	seen := make(map[string]Node, len(nodes))
	for _, n := range nodes {
		n.Path = strings.Trim(n.Path, "/")
		if n.Path == "" {
			continue
		}
		seen[n.Path] = n
	}
	for _, n := range nodes {
		for _, dir := range Parents(strings.Trim(n.Path, "/")) {
			seen[dir] = Node{Path: dir, Kind: Directory}
		}
	}
	all := make([]Node, 0, len(seen))
	for _, n := range seen {
		all = append(all, n)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Path < all[j].Path })
	return all
}
