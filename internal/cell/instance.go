package cell

import (
	"errors"
	"fmt"
	"strings"
)

// An instance is one of many cells that a file describes: "lab@3" is the cell
// of lab's file once more, with a state, a number, a console, addresses and
// layers of its own. Name and instance together are no longer than a name may
// be: what is built from a name has the same limits.

// SplitInstance parts "lab@3" into "lab" and "3". A name without an instance is
// returned as it is.
func SplitInstance(name string) (base, instance string, is bool) {
	return strings.Cut(name, "@")
}

// ValidInstance tells why s cannot be the name of a cell that runs, which is a
// name or an instance of one, or nil.
func ValidInstance(s string) error {
	base, instance, is := SplitInstance(s)
	if !is {
		return ValidName(s)
	}
	if err := ValidName(base); err != nil {
		return err
	}
	if m := instanceRule(s, instance); m != nil {
		return errors.New("invalid instance " + fmt.Sprintf(`"%s"`, Printable(shorten(s, 40))) + ": " + m.why)
	}
	return nil
}

func instanceRule(whole, instance string) *mistake {
	switch {
	case instance == "":
		return wrong("something must follow the @")
	case len(whole) > maxName:
		return wrong("has %d characters with its name, at most %d are allowed", len([]rune(whole)), maxName)
	case !letter(instance[0]) && !digit(instance[0]):
		return wrong("must start with a letter or a digit")
	}
	for i := range len(instance) {
		if !letter(instance[i]) && !digit(instance[i]) && instance[i] != '_' && instance[i] != '-' {
			return wrong("must consist of letters, digits, - and _")
		}
	}
	return nil
}

// Instance is the cell as one of many, or every line of the file that only one
// cell at a time can have. The cell itself stays as it is.
func (c *Cell) Instance(instance string) (*Cell, Diagnostics) {
	var found Diagnostics
	for _, s := range c.unshared() {
		pos, ok := c.Where(s.path)
		if !ok {
			pos = Pos{File: c.File}
		}
		found = append(found, Diagnostic{
			Pos:     pos,
			Summary: Printable(fmt.Sprintf("cannot start %s@%s: %s", c.Name, instance, s.why)),
			Hint:    Printable(s.hint),
		})
	}
	if len(found) > 0 {
		return nil, found.sorted()
	}
	return c.Renamed(c.Name + "@" + instance), nil
}

// unshared is a line of a cell file that several cells cannot have at a time.
type unshared struct{ path, why, hint string }

// unshared lists them. What is not here each instance has of its own (state,
// number, addresses of cards, UEFI variables, console, screen), or all may have
// together: what is only read, and a bridge.
func (c *Cell) unshared() (all []unshared) {
	add := func(path, why, hint string, args ...any) {
		all = append(all, unshared{path, why, fmt.Sprintf(hint, args...)})
	}
	for _, d := range c.Disks {
		at := "disk." + d.Label + "."
		switch {
		case d.ReadOnly:
		case d.File != "":
			add(at+"file", "all instances would write to this file", "base = %q gives each instance a layer of its own", d.File)
		case d.Zvol != "":
			add(at+"zvol", "all instances would write to this volume", "read_only = true lets all of them read it")
		case d.Device != "":
			add(at+"device", "all instances would write to this device", "read_only = true lets all of them read it")
		}
	}
	for _, n := range c.NICs {
		at := "nic." + n.Label + "."
		if n.Tap != "" {
			add(at+"tap", "a tap has one guest", "bridge = \"…\" gives each instance a tap of its own")
		}
		if _, given := c.Sources[at+"mac"]; given {
			add(at+"mac", "all instances would have this address", "leave mac out: each instance gets one of its own")
		}
	}
	if c.Screen != nil && c.Screen.Listen != "" {
		add("screen.listen", "one cell can listen there", "leave listen out: each instance gets a socket of its own")
	}
	if c.GDB != nil {
		add("gdb.listen", "one cell can listen there", "leave the gdb block out, or start %s alone", c.Name)
	}
	if c.Console.Device != "" {
		add("console.device", "a null modem has one guest", "leave device out: each instance gets one of its own")
	}
	for _, p := range c.Passthru {
		add("passthru."+p.Label+".pci", "a PCI device has one guest", "start %s alone", c.Name)
	}
	if c.Jail.Root != "" {
		add("jail.root", "a directory tree can be the root of one cell", "leave root out: each instance gets one of its own")
	}
	return all
}
