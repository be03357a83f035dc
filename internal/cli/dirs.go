package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/probe"
	"skep/internal/store"
)

// homeless are the verbs that read nothing of the user's, so that they do their
// work without a home too. Those that skep starts itself are told their
// directories.
var homeless = []string{"version", "help", "exit-codes", "completion", "fmt", "import", "devfs-check", "doctor"}

// byPath are the verbs that read cell files and keep nothing: without a home
// they read those that are named by their path.
var byPath = []string{"check", "plan", "explain", "new"}

// settleDirs settles the three directories before a verb runs, once for all that
// it does, and refuses to keep anything where others could change it.
func (a *app) settleDirs(cmd *cobra.Command, args []string) error {
	verb := cmd
	for verb.HasParent() && verb.Parent().HasParent() {
		verb = verb.Parent()
	}
	var err error
	a.dirs, a.unused, err = probe.Settle(probe.Options{Dirs: a.dirs})
	a.noHome = err
	name := verb.Name()
	switch {
	case !verb.HasParent(), verb.Hidden, slices.Contains(homeless, name):
		return nil
	case slices.Contains(byPath, name):
		if !slices.ContainsFunc(args, func(arg string) bool { return !isPath(arg) }) {
			return nil
		}
	}
	for _, n := range a.unused {
		a.note("%s", n)
	}
	if err != nil || slices.Contains(byPath, name) {
		return err
	}
	return store.Private(a.dirs)
}

// trusted refuses a cell file of the configuration directory that somebody else
// could have written: whoever writes it chooses which files and devices are
// opened with this user's rights. One that is named by its path is named by a
// person, as a script is.
func trusted(path string) error { return probe.Trusted(path) }

// trustedDir is trusted for all of them: where anybody may put a file there is
// none to be obeyed.
func trustedDir(dirs host.Dirs) error { return probe.Trusted(dirs.CellFiles()) }

// trustRows are the doctor's lines on the directories.
func (a *app) trustRows() (rows []host.Row) {
	dirs := a.dirs
	add := func(s host.Status, topic, fact, consequence, fix string) {
		rows = append(rows, host.Row{Status: s, Topic: topic, Fact: fact, Consequence: consequence, Fix: fix})
	}
	for _, n := range a.unused {
		add(host.Warn, "directories", n, "what was started where it is used is not seen here", "")
	}
	if a.noHome != nil {
		add(host.Fail, "directories", a.noHome.Error(), "no cell can run", fault.HintOf(a.noHome))
	} else if err := store.Usable(dirs); err != nil {
		add(host.Fail, "directories", err.Error(), "no cell can run", fault.HintOf(err))
	}
	at := dirs.CellFiles()
	if err := probe.Trusted(at); err != nil {
		add(host.Warn, "cell files", err.Error(), "no cell file in "+at+" is obeyed", fault.HintOf(err))
		return rows
	}
	for _, name := range cellFiles(dirs) {
		if err := probe.Trusted(dirs.CellFile(name)); err != nil {
			add(host.Warn, "cell files", err.Error(), "the cell "+name+" is not started", fault.HintOf(err))
		}
	}
	return rows
}
