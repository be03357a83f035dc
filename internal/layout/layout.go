// Package layout says where skep's files lie and what they are called. It builds paths and looks at
// nothing, so that whoever plans, keeps or reads a cell means the same file.
//
// The configuration directory is the administrator's:
//
//	CONFIG/cells/NAME.hcl
//
// The run directory does not outlive a reboot, and neither does anything its journals name: processes,
// mounts, links, sockets.
//
//	RUN/lock               taken while slots are given out
//	RUN/locks/NAME         held by the living keeper of NAME
//	RUN/cards/BRIDGE-MAC   the tap of the cell whose card has that address there
//	RUN/segments/S/        the sockets of the cells on segment S, NAME.LABEL
//	RUN/slots/N            the name of the cell that holds slot N
//	RUN/cells/NAME/        journal, state.json, detail.json, the sockets; on FreeBSD the rootfs
//	RUN-access/NAME.sock   where other users reach the keeper of NAME, which asks the kernel who they are
//
// The state directory does:
//
//	STATE/cells/NAME/      logs, events, uefi-vars.fd, last.json, macs.json, disks.json, layers
//	STATE/unfinished/      NAME.json while skep clone or rename makes NAME of another cell
//	STATE/images/          the image store, see ImageStore
//	STATE/templates/NAME/  guests that stand still, for others to begin from
//	STATE/cache/           facts that are dear to find out
package layout

import (
	"path/filepath"
	"strconv"
	"strings"
)

// Dirs are the three directories.
type Dirs struct {
	Config string `json:"config"` // holds cells/NAME.hcl
	State  string `json:"state"`  // outlives a reboot: logs, UEFI variables
	Run    string `json:"run"`    // does not: journals, sockets, locks
}

// CellFiles is the directory of the cell files that are known by name.
func (d Dirs) CellFiles() string { return filepath.Join(d.Config, "cells") }

// CellFile is the file of a cell. All instances of one, web@1 and web@2, have its file.
func (d Dirs) CellFile(name string) string {
	of, _, _ := strings.Cut(name, "@")
	return filepath.Join(d.CellFiles(), of+CellSuffix)
}

// RunDirs has a directory for each running cell, and RunDir is one of them.
func (d Dirs) RunDirs() string           { return filepath.Join(d.Run, "cells") }
func (d Dirs) RunDir(name string) string { return filepath.Join(d.RunDirs(), name) }

// StateDirs has a directory for each cell that has run, and StateDir is one of them.
func (d Dirs) StateDirs() string           { return filepath.Join(d.State, "cells") }
func (d Dirs) StateDir(name string) string { return filepath.Join(d.StateDirs(), name) }

// Layer is the file of a disk's layer, which holds what the guest wrote. A disposable one has a name of its
// own: what a cell has kept is not removed because its file says something else now.
func (d Dirs) Layer(cell, label, format string, disposable bool) string {
	prefix := LayerPrefix
	if disposable {
		prefix = DisposablePrefix
	}
	return filepath.Join(d.StateDir(cell), prefix+label+"."+format)
}

// LayerNote is the file beside a layer that says what it lies on.
func LayerNote(layer string) string { return strings.TrimSuffix(layer, filepath.Ext(layer)) + ".json" }

// Unfinished is what is written down of a command that makes a cell of that name out of another one.
func (d Dirs) Unfinished(name string) string {
	return filepath.Join(d.State, "unfinished", name+".json")
}

// ResultsSuffix ends the name of a disk that a guest brings results out with.
const ResultsSuffix = ".results"

// Results is a cell's disk for results of that label. It is the guest's, and stays.
func (d Dirs) Results(cell, label string) string {
	return filepath.Join(d.StateDir(cell), label+ResultsSuffix)
}

// ImageStore is the directory of the image store, and Image the file of an image in it.
func (d Dirs) ImageStore() string       { return filepath.Join(d.State, "images") }
func (d Dirs) Image(name string) string { return filepath.Join(d.ImageStore(), "names", name+".raw") }

// Templates has a directory for each template, and Template is one of them.
func (d Dirs) Templates() string           { return filepath.Join(d.State, "templates") }
func (d Dirs) Template(name string) string { return filepath.Join(d.Templates(), name) }

// EvidenceDir is where the evidence of a cell's run is gathered.
func (d Dirs) EvidenceDir(cell, run string) string {
	return filepath.Join(d.StateDir(cell), Evidence, run)
}

// The files of a run's evidence.
const (
	EvidenceHost       = "host.json"
	EvidenceFile       = "cell.hcl"
	EvidenceCell       = "cell.json"
	EvidencePlan       = "plan.json"
	EvidenceAuditStart = "audit-start.json"
	EvidenceAuditEnd   = "audit-end.json"
	EvidenceArchive    = "evidence.tar" // of a task, beside what else came of it
	EvidenceConsole    = "console-times.jsonl"
	EvidenceShots      = "shots"
)

// Cache is the directory of facts that are dear to find out.
func (d Dirs) Cache() string { return filepath.Join(d.State, "cache") }

// Slots has a file for each slot that is held, and Slot is one of them.
func (d Dirs) Slots() string     { return filepath.Join(d.Run, "slots") }
func (d Dirs) Slot(n int) string { return filepath.Join(d.Slots(), strconv.Itoa(n)) }

// SlotsLock is taken while slots are given out.
func (d Dirs) SlotsLock() string { return filepath.Join(d.Run, "lock") }

// ServeSocket is where skep serve listens.
func (d Dirs) ServeSocket() string { return filepath.Join(d.Run, "serve.sock") }

// AccessDir has a socket for each running cell that others than its keeper's user have access to, and AccessSocket
// is one of them. It is beside the run directory, which is closed to them.
func (d Dirs) AccessDir() string               { return d.Run + "-access" }
func (d Dirs) AccessSocket(name string) string { return filepath.Join(d.AccessDir(), Socket(name)) }

// NamedLock is taken for work that two processes would otherwise do at once.
func (d Dirs) NamedLock(name string) string { return filepath.Join(d.Run, name+".lock") }

// Locks has a file for each cell that a keeper holds, and Lock is one of them.
func (d Dirs) Locks() string           { return filepath.Join(d.Run, "locks") }
func (d Dirs) Lock(name string) string { return filepath.Join(d.Locks(), name) }

// SnapshotLock is held while a cell's snapshots are made, removed or gone back to.
func (d Dirs) SnapshotLock(name string) string { return d.Lock(name) + ".snapshot" }

// CardClaim is the file of a network card on a bridge: two with one address would hear each other's packets.
func (d Dirs) CardClaim(bridge, mac string) string {
	return filepath.Join(d.Run, "cards", bridge+"-"+strings.ReplaceAll(mac, ":", ""))
}

// Segments has a directory for each segment that cells share, and SegmentJoin is where others on it find a card.
func (d Dirs) Segments() string { return filepath.Join(d.Run, "segments") }
func (d Dirs) SegmentJoin(segment, cell, label string) string {
	return filepath.Join(d.Segments(), segment, cell+"."+label)
}

// ConsoleLock is held by whoever is at a cell's console.
func (d Dirs) ConsoleLock(name string) string { return d.Lock(name) + ".console" }

// CellSuffix ends the name of a cell file.
const CellSuffix = ".hcl"

// The files of a cell's run directory.
const (
	State   = "state.json"
	Detail  = "detail.json"
	Journal = "journal"
	Root    = "root"   // the rootfs, where the host sees it (FreeBSD)
	Worker  = "worker" // the empty root of a worker's jail (FreeBSD)
)

// The sockets of a cell's run directory, by the names of their resources.
const (
	Control = "control"
	Console = "console"
	Screen  = "screen"
	QMP     = "qmp"
	GDB     = "gdb"
)

// Socket is the file of a socket.
func Socket(name string) string { return name + ".sock" }

// RunFiles are the files that a cell's run directory may have.
func RunFiles() []string {
	files := []string{State, Detail}
	for _, s := range []string{Control, QMP, Console, Screen, GDB} {
		files = append(files, Socket(s))
	}
	// The journal goes last: it names what is left if this stops halfway.
	return append(files, Journal)
}

// The files of a cell's state directory.
const (
	ConsoleLog    = "console.log"
	HypervisorLog = "hypervisor.log"
	KeeperLog     = "keeper.log"
	Vars          = "uefi-vars.fd"
	VarsSecure    = "uefi-vars-secure.fd" // of Secure Boot, whose variables begin with keys
	TPM           = "tpm.state"
	Last          = "last.json"
	MACs          = "macs.json"
	Disks         = "disks.json"
	Loader        = "loader" // a directory: the loader's scratch copies
	Snapshots     = "snapshots.json"
	Events        = "events.jsonl"
	EventsOld     = "events.jsonl.1"
	// Evidence is a directory with one for each run.
	Evidence   = "evidence"
	NetworkLog = "network.jsonl"
	SinkholeCA = "sinkhole-ca.pem"

	LayerPrefix      = "layer-"
	DisposablePrefix = "disposable-"
)

// StateFiles are the files that skep makes in a cell's state directory.
func StateFiles() []string {
	return []string{ConsoleLog, Starts(ConsoleLog), Disks, HypervisorLog, KeeperLog, Last, MACs, Events, EventsOld, NetworkLog, OlderHalf(NetworkLog), SinkholeCA, KeyOf(SinkholeCA), Vars, VarsSecure}
}

// VarsOf is the file of a cell's UEFI variables.
func VarsOf(secure bool) string {
	if secure {
		return VarsSecure
	}
	return Vars
}

// NetworkLogOf is NetworkLog of a further card, and OlderHalf the file that such a record's older half is in.
func NetworkLogOf(label string) string { return "network-" + label + ".jsonl" }
func OlderHalf(log string) string      { return log + ".1" }

// IsNetworkLog says whether a file has the name of a further card's record, or of its older half.
func IsNetworkLog(name string) bool {
	label, is := strings.CutPrefix(strings.TrimSuffix(name, ".1"), "network-")
	return is && strings.HasSuffix(label, ".jsonl")
}

// KeyOf is the file of a certificate's key.
func KeyOf(certificate string) string {
	return strings.TrimSuffix(certificate, filepath.Ext(certificate)) + ".key"
}

// Captures are the two files of a card's capture, and CaptureFirst ends the name of the first.
func Captures(base string) [2]string { return [2]string{base + CaptureFirst, base + captureSecond} }

// IsCapture says whether a file has the name of one of them.
func IsCapture(name string) bool {
	return strings.HasPrefix(name, CapturePrefix) && (strings.HasSuffix(name, CaptureFirst) || strings.HasSuffix(name, captureSecond))
}

// CaptureOf is what the names of a card's capture begin with.
func CaptureOf(label string) string { return CapturePrefix + label }

// What the names of captures begin and end with.
const (
	CapturePrefix = "capture-"
	CaptureFirst  = ".0.pcapng"
	captureSecond = ".1.pcapng"
)

// Starts is the file beside a log that has the numbers of its starts.
func Starts(log string) string { return strings.TrimSuffix(log, filepath.Ext(log)) + ".starts" }

// The files of a template. The description comes last and goes first.
const (
	TemplateAbout = "template.json"
	TemplateRAM   = "ram"
	TemplateState = "state"
	TemplateMade  = ".making" // it is being made, or was when that was cut off
)

// TemplateDisk is what a template has frozen of a disk, and TemplateBase a copy that this lies on.
func TemplateDisk(label, format string) string { return "disk-" + label + "." + format }
func TemplateBase(label, format string) string { return "base-" + label + "." + format }

// The rootfs of a FreeBSD jail.
const (
	Dev = "dev" // devfs(5) in it
)
