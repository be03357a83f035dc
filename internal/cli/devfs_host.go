package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"skep/internal/devfs"
	"skep/internal/devfsctl"
	"skep/internal/fault"
	"skep/internal/jaillist"
	"skep/internal/jailparam"
	"skep/internal/layout"
)

// devfsHost is what a check of rules looks at.
type devfsHost struct {
	sets  devfs.Rulesets // with their rules
	names devfs.Rulesets // what devfs.rules(5) calls them; the kernel has numbers only
	depth int
	nodes []devfs.Node
	jails []jailparam.Running // none where files are looked at
	// list lists the devfs that is mounted at a directory; false: none is.
	list func(dir string) (nodes []devfs.Node, mounted bool, err error)
}

// devfsReport is one thing that was checked.
type devfsReport struct {
	Jail   *jailparam.Running `json:"jail,omitempty"`
	Note   string             `json:"note,omitempty"`
	Report devfs.Report       `json:"report"`
}

// jailRules is the set with which jail(8) mounts the /dev of a jail that names
// none (usr.sbin/jail/command.c).
const jailRules = 4

// liveDevfs is this host.
func liveDevfs() (h devfsHost, err error) {
	cannot := func(err error) (devfsHost, error) {
		if errors.Is(err, errors.ErrUnsupported) {
			return h, fault.New(fault.Input, "--rules FILE --ruleset NUMBER looks at files", "ask this host's kernel for rules: devfs is FreeBSD's")
		}
		hint := ""
		if errors.Is(err, os.ErrPermission) {
			hint = "run skep as root"
		}
		return h, fault.Wrap(fault.Host, err, hint, "ask the kernel for its rules")
	}
	m, err := devfsctl.Open("/dev")
	if err != nil {
		return cannot(err)
	}
	defer m.Close()
	if h.sets, err = m.Rulesets(); err != nil {
		return cannot(err)
	}
	if h.depth, err = devfsctl.Depth(); err != nil {
		return cannot(err)
	}
	if h.nodes, err = devfs.List("/dev"); err != nil {
		return cannot(err)
	}
	if h.jails, err = jaillist.List(); err != nil {
		return cannot(err)
	}
	var l devfs.Loader
	for _, f := range []string{devfs.StockName, "/etc/devfs.rules"} {
		if b, err := readRegular(f, maxCellFile); err == nil {
			l.Load(f, string(b))
		}
	}
	h.names, h.list = l.Sets, listMounted
	return h, nil
}

// listMounted lists a devfs, and nothing that a jail could have put there
// instead of one.
func listMounted(dir string) ([]devfs.Node, bool, error) {
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return nil, false, nil
	}
	m, err := devfsctl.Open(dir)
	if err != nil {
		return nil, false, nil
	}
	defer m.Close()
	nodes, err := devfs.List(dir)
	return nodes, true, err
}

// check reports on what an argument names, or on every jail.
func (h devfsHost) check(what string, own []string) ([]devfsReport, error) {
	for i, o := range own {
		own[i] = strings.TrimPrefix(o, "/dev/")
	}
	reports := []devfsReport{}
	if what == "" {
		for _, j := range h.jails {
			r, err := h.checkJail(j, own)
			if err != nil {
				return nil, err
			}
			reports = append(reports, r)
		}
		return reports, nil
	}
	if n, err := strconv.ParseUint(what, 10, 16); err == nil && n > 0 {
		r, err := h.checkSet(int(n), own)
		return append(reports, devfsReport{Report: r}), err
	}
	for _, j := range h.jails {
		if j.Name == what {
			r, err := h.checkJail(j, own)
			return append(reports, r), err
		}
	}
	if set, ok := h.names.Find(what); ok {
		r, err := h.checkSet(set.Number, own)
		return append(reports, devfsReport{Report: r}), err
	}
	return nil, fault.New(fault.Input, h.known(), "find %q among the rule sets and jails", what)
}

func (h devfsHost) checkSet(number int, own []string) (devfs.Report, error) {
	r, err := devfs.Check(h.sets, number, h.depth, h.nodes, own...)
	if err != nil {
		return r, fault.Wrap(fault.Input, err, "", "evaluate rule set %d", number)
	}
	if set := h.names[number]; set != nil {
		r.Name = set.Name
	}
	return r, nil
}

func (h devfsHost) checkJail(j jailparam.Running, own []string) (devfsReport, error) {
	number := j.Ruleset
	if number == 0 {
		number = jailRules
	}
	out := devfsReport{Jail: &j}
	if j.VMM {
		// Without allow.vmm it can be opened and is good for nothing; with it, it is the way to a jail's
		// own VMs where the kernel has it, and to no others (vmmdev_lookup in sys/dev/vmm/vmm_dev.c).
		own = append(slices.Clone(own), "vmmctl")
	}
	var err error
	if out.Report, err = h.checkSet(number, own); err != nil {
		return out, err
	}
	dev := filepath.Join(j.Path, layout.Dev)
	nodes, mounted, err := h.list(dev)
	if err != nil {
		return out, fault.Wrap(fault.Host, err, "", "list the /dev of jail %s", j.Name)
	}
	if mounted {
		out.Note = fmt.Sprintf("%d nodes listed in %s", len(nodes), dev)
	} else {
		nodes, out.Note = nil, "no devfs is mounted on "+dev+", so it sees nothing"
	}
	if j.Ruleset == 0 {
		out.Note += fmt.Sprintf("; it names no rule set, for which jail(8) takes %d", jailRules)
	}
	out.Report = out.Report.Observed(nodes)
	return out, nil
}

// known says what could have been named.
func (h devfsHost) known() string {
	var names []string
	for _, j := range h.jails {
		names = append(names, j.Name)
	}
	for _, n := range h.sets.Numbers() {
		name := strconv.Itoa(n)
		if set := h.names[n]; set != nil && set.Name != "" {
			name += " (" + set.Name + ")"
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return "there is none"
	}
	if len(names) > 12 {
		names = append(names[:12], "…")
	}
	return "there are: " + strings.Join(names, ", ")
}

// printable writes lines that hold names of others: devices, rules, jails.
type printable struct{ w io.Writer }

func (p printable) Write(b []byte) (int, error) {
	if _, err := io.WriteString(p.w, printableLines(strings.TrimSuffix(string(b), "\n"))+"\n"); err != nil {
		return 0, err
	}
	return len(b), nil
}
