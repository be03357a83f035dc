// Package attack is what an intruder would try: the table of attempts, an attacker in its jail and how it is told
// what to call, and rounds of attempts. Who brings an attacker into which jail is package drill's.
package attack

import (
	"strings"

	"skep/internal/drill/report"
	"skep/internal/layer"
)

// An Attempt is one thing that an intruder would try, and a row of every report.
type Attempt struct {
	ID    string
	Group string
	Tries string // completes "the intruder tries to …"
	// By is the layers each of which stops it, alone or with those that it cannot be built without;
	// measured by Ablate, and compared with it by a test.
	By string
	// Want is how it fails in a full jail: errnos, "killed" or "absent", with bars between.
	Want string
	// Single says why fewer than two layers stop it, where that is so.
	Single string
	// NoControl says why it cannot succeed on the machine where the tables were measured.
	NoControl string
	// Lacks says why it cannot succeed on this one, or nothing.
	Lacks func() string
	// Start: it is tried before the guest is prepared, too. On Linux every row is.
	Start bool
	// Early says why it may succeed then and lets nobody out: what the hypervisor has to do to start is
	// allowed, but images that are not trusted are read already.
	Early string
	// Before is done in the start by an intruder who is there already, and tries the row once it is over.
	Before func(*Fixture)
	// Fresh: whatever came of it, the next attempt needs another attacker.
	Fresh bool
	// Needs leaves the attempt out where it is false, and says why.
	Needs func(*Fixture) (why string, ok bool)
	Do    doer
}

// Why one layer has to do.
const (
	singleCall  = "it asks for no right that could be missing: only a filter refuses it"
	singlePhase = "it is a call of the start: only the filter, with its phases, tells the start from the guest's life"
	singleOpen  = "a descriptor that is open asks for no right any more"
)

// An Outcome is what came of one attempt.
type Outcome struct {
	Stopped bool
	How     string // an errno's name, "killed", "absent"; of an escape, what was reached
}

func stopped(how string) Outcome { return Outcome{true, how} }
func escaped(to string) Outcome  { return Outcome{false, to} }

const (
	killed = "killed"
	absent = "absent"
)

// killedBare is told of an attempt that the kernel answers by killing whoever makes it, jail or not:
// one built without 32-bit calls, for instance.
const killedBare = "the kernel of this machine kills whoever tries"

// Uncontrolled says why the attempt cannot succeed here, where bare is what came of it without any
// layer.
func (a Attempt) Uncontrolled(bare Outcome) string {
	switch {
	case a.NoControl != "":
		return a.NoControl
	case a.Lacks != nil && a.Lacks() != "":
		return a.Lacks()
	case bare.Stopped && bare.How == killed:
		return killedBare
	}
	return ""
}

// Row is its line in a report.
func (a Attempt) Row(scene, phase string, v report.Verdict, how string) report.Row {
	return report.Row{ID: a.ID, Group: a.Group, Tries: a.Tries, Scene: scene, Phase: phase, Verdict: v, How: how,
		Want: strings.Split(a.Want, " | "), Layers: strings.Fields(a.By)}
}

// Layers is By as IDs.
func (a Attempt) Layers() []layer.ID {
	var ids []layer.ID
	for _, f := range strings.Fields(a.By) {
		ids = append(ids, layer.ID(f))
	}
	return ids
}

// The groups, in the order of every report.
const (
	groupFiles      = "files of the host"
	groupLayers     = "bases and layers"
	groupTemplates  = "templates"
	groupDevices    = "devices"
	groupMounts     = "mounts"
	groupNamespaces = "namespaces"
	groupProcesses  = "other processes"
	groupPrograms   = "programs"
	groupMemory     = "memory"
	groupSockets    = "sockets"
	groupKernel     = "the kernel"
	groupKVM        = "KVM"
	groupRights     = "rights"
	groupCells      = "other cells"
	groupExhaustion = "exhaustion"
	groupSecrets    = "what is not told"
)

// A doer makes an attempt: a single call (see try), or code where it takes several.
type doer interface{ do(*Fixture) Outcome }

type code func(*Fixture) Outcome

func (c code) do(s *Fixture) Outcome { return c(s) }

// A group is the rows under one heading.
type group struct {
	name string
	rows []Attempt
}

// inGroups is the rows of all groups, one after the other, each with its heading.
func inGroups(groups []group) []Attempt {
	var all []Attempt
	for _, g := range groups {
		for _, a := range g.rows {
			a.Group = g.name
			all = append(all, a)
		}
	}
	return all
}
