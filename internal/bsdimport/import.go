// Package bsdimport makes a cell of what an administrator of a FreeBSD host
// wrote by hand to run bhyve in a jail: a jail of jail.conf(5), the rules of
// devfs.rules(5) that it uses, and what rc.conf(5) says of taps, bridges and
// jails.
//
// Nothing in these files is run. What the old jail could see and the new one
// cannot, what has no place in a cell, and what the old files never did although
// it looks as if, is said in a warning each; a cell comes out of all that is
// left.
package bsdimport

import (
	"fmt"
	"strconv"
	"strings"

	"skep/internal/cell"
	"skep/internal/cellfile"
	"skep/internal/devfs"
	"skep/internal/fault"
	"skep/internal/jailconf"
)

// Input is what there is to import.
type Input struct {
	JailConf jailconf.Source
	Include  jailconf.Include // how .include finds its files; nil refuses it
	// Rules are the files of rules in the order in which rc(8) reads them.
	// Without /etc/defaults/devfs.rules among them its usual contents are taken.
	Rules  []jailconf.Source
	RCConf *jailconf.Source
	Jail   string
	// Depth is the host's vfs.devfs.rule_depth; devfs.DefaultDepth where nobody
	// can say.
	Depth int
	// DepthKnown: it is the host's, and no guess.
	DepthKnown bool
	// Nodes are those of the host's /dev. Without them a typical host is taken,
	// and a glob in a rule stands for no disk or tap in particular.
	Nodes []devfs.Node
}

// Topic is what a warning is about.
type Topic string

// The topics, in the order in which warnings are best read.
const (
	Device  Topic = "device"  // the old jail saw what the new one does not
	Rules   Topic = "rules"   // a rule does not do what it seems to
	Network Topic = "network" // what concerns addresses, taps and bridges
	JailSet Topic = "jail"    // a parameter of the jail
	Guest   Topic = "guest"   // what these files do not say of the guest
)

var topics = []Topic{Device, Rules, Network, JailSet, Guest}

// Warning is one thing that is not as it was.
type Warning struct {
	Topic Topic  `json:"topic"`
	Where string `json:"where,omitempty"` // file:line:col, as far as there is one
	What  string `json:"what"`
}

func (w Warning) String() string {
	if w.Where == "" {
		return w.What
	}
	return w.Where + ": " + w.What
}

// Import makes the cell.
func Import(in Input) (*cell.Cell, []Warning, error) {
	conf, err := jailconf.Parse(in.JailConf, in.Include)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Input, err, "jail -f would refuse the file as well", "read %s", in.JailConf.Name)
	}
	jail, err := conf.Resolve(in.Jail)
	if err != nil {
		hint := "name one of the jails of the file"
		for _, u := range conf.Unmatched() {
			hint = "nothing matches .include " + strconv.Quote(u.What) + " here (" + u.Pos.String() + "): copy those files here too"
		}
		return nil, nil, fault.Wrap(fault.Input, err, hint, "import jail %q", in.Jail)
	}
	i := &importer{in: in, jail: jail, cell: *cell.Hello()}
	i.cell.Jail.Limits.Processes, i.cell.Jail.Limits.OpenFiles, i.cell.Memory = 0, 0, 0 // follow from the rest
	if i.cell.Name, err = i.name(in.Jail); err != nil {
		return nil, nil, err
	}
	if in.RCConf != nil {
		i.rc = i.readRC(*in.RCConf)
	}
	for _, u := range conf.Unmatched() {
		i.warn(JailSet, u.Pos.String(), "nothing matches .include %q here: what such files say of the jail is unknown", u.What)
	}
	i.params()
	i.devices()
	i.start()
	i.guest()

	c, mistakes := cell.Parse(i.cell.Name+".hcl", cellfile.Encode(&i.cell))
	if len(mistakes) > 0 {
		return nil, i.sorted(), fault.Wrap(fault.Input, mistakes.Err(), "", "make a cell of jail %q", in.Jail)
	}
	c.File, c.Sources = "", nil
	return c, i.sorted(), nil
}

// importer is a cell on its way.
type importer struct {
	in       Input
	jail     *jailconf.Jail
	rc       map[string]string
	cell     cell.Cell
	warnings []Warning
}

func (i *importer) warn(topic Topic, where, format string, args ...any) {
	i.warnings = append(i.warnings, Warning{topic, where, fmt.Sprintf(format, args...)})
}

// sorted puts what matters most first and keeps the order within a topic.
func (i *importer) sorted() []Warning {
	var sorted []Warning
	for _, t := range topics {
		for _, w := range i.warnings {
			if w.Topic == t {
				sorted = append(sorted, w)
			}
		}
	}
	return sorted
}

// name makes a name for the cell of that of the jail, which may hold what would
// mean something in a path or a rule.
func (i *importer) name(jail string) (string, error) {
	name := []byte(jail)
	for n, c := range name {
		if cell.ValidName("a"+string(c)) != nil {
			name[n] = '-'
		}
	}
	if len(name) > 0 && cell.ValidName(string(name[:1])) != nil {
		name = append([]byte("vm-"), name...)
	}
	if err := cell.ValidName(string(name)); err != nil {
		return "", fault.Wrap(fault.Input, err, "rename the jail first", "import jail %q", jail)
	}
	if string(name) != jail {
		i.warn(JailSet, "", "the cell is named %q: a cell's name holds letters, digits, - and _ only", name)
	}
	return string(name), nil
}

// guest says what these files cannot know, because bhyve was started by hand or
// by a script inside.
func (i *importer) guest() {
	if len(i.cell.Disks) == 0 {
		i.warn(Guest, "", "no rule of these files names a disk: the cell boots the built-in guest until you add a disk block and boot")
	} else {
		i.cell.Boot = cell.Boot{Kind: cell.BootUEFI}
	}
	said := "not in these files"
	for _, p := range i.jail.Params {
		if p.Name == "command" || strings.HasPrefix(p.Name, "exec.") && strings.Contains(strings.Join(p.Values, " "), "bhyve") {
			said = "not read from " + p.Name
		}
	}
	i.warn(Guest, "", "how many cpus, how much memory, and how it boots are %s; skep vmrun --print makes a cell of the vmrun.sh line that started the guest", said)
}
