package plan

import (
	"fmt"
	"slices"
	"strings"
)

// kind is how an empty spec is made when a plan or a journal is read back, and the systems whose plans have
// such resources. What a host does with them is one row of the table in package provision.
type kind struct {
	empty func() Spec
	on    on
}

// on are systems, as in Plan.OS.
type on []string

const (
	onLinux   = "linux"
	onFreeBSD = "freebsd"
)

// kinds is the table of every kind of resource.
var kinds = map[Kind]kind{
	KindDirectory:   {func() Spec { return new(Directory) }, on{onLinux, onFreeBSD}},
	KindSlot:        {func() Spec { return new(Slot) }, on{onLinux, onFreeBSD}},
	KindCgroup:      {func() Spec { return new(Cgroup) }, on{onLinux}},
	KindOwnCgroup:   {func() Spec { return new(OwnCgroup) }, on{onLinux}},
	KindBridge:      {func() Spec { return new(Bridge) }, on{onLinux, onFreeBSD}},
	KindTap:         {func() Spec { return new(Tap) }, on{onLinux, onFreeBSD}},
	KindDisk:        {func() Spec { return new(Disk) }, on{onLinux, onFreeBSD}},
	KindLayer:       {func() Spec { return new(Layer) }, on{onLinux, onFreeBSD}},
	KindTemplate:    {func() Spec { return new(Template) }, on{onLinux}},
	KindMedium:      {func() Spec { return new(Medium) }, on{onLinux, onFreeBSD}},
	KindFirmware:    {func() Spec { return new(Firmware) }, on{onLinux, onFreeBSD}},
	KindVars:        {func() Spec { return new(Vars) }, on{onLinux, onFreeBSD}},
	KindLog:         {func() Spec { return new(Log) }, on{onLinux, onFreeBSD}},
	KindSocket:      {func() Spec { return new(Socket) }, on{onLinux, onFreeBSD}},
	KindAccess:      {func() Spec { return new(Access) }, on{onLinux, onFreeBSD}},
	KindRootfs:      {func() Spec { return new(Rootfs) }, on{onLinux}},
	KindJail:        {func() Spec { return new(Jail) }, on{onLinux}},
	KindHypervisor:  {func() Spec { return new(Hypervisor) }, on{onLinux}},
	KindScreen:      {func() Spec { return new(Screen) }, on{onLinux, onFreeBSD}},
	KindWorker:      {func() Spec { return new(Worker) }, on{onLinux, onFreeBSD}},
	KindStack:       {func() Spec { return new(Stack) }, on{onFreeBSD}},
	KindNetwork:     {func() Spec { return new(Network) }, on{onLinux, onFreeBSD}},
	KindCapture:     {func() Spec { return new(Capture) }, on{onLinux, onFreeBSD}},
	KindTPM:         {func() Spec { return new(TPM) }, on{onLinux}},
	KindRuleset:     {func() Spec { return new(Ruleset) }, on{onFreeBSD}},
	KindJailRootfs:  {func() Spec { return new(JailRootfs) }, on{onFreeBSD}},
	KindScratchCopy: {func() Spec { return new(ScratchCopy) }, on{onFreeBSD}},
	KindMount:       {func() Spec { return new(Mount) }, on{onFreeBSD}},
	KindDevMount:    {func() Spec { return new(DevMount) }, on{onFreeBSD}},
	KindPrison:      {func() Spec { return new(Prison) }, on{onFreeBSD}},
	KindRctl:        {func() Spec { return new(Rctl) }, on{onFreeBSD}},
	KindModem:       {func() Spec { return new(Modem) }, on{onFreeBSD}},
	KindVM:          {func() Spec { return new(VM) }, on{onFreeBSD}},
	KindBhyve:       {func() Spec { return new(Bhyve) }, on{onFreeBSD}},
	KindRelay:       {func() Spec { return new(Relay) }, on{onFreeBSD}},
}

// Kinds lists the kinds of resources that the plans of a system have, sorted.
func Kinds(os string) []Kind {
	var all []Kind
	for k, row := range kinds {
		if slices.Contains(row.on, os) {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	return all
}

// The kinds of resources. Some exist on one system only.
const (
	KindDirectory   Kind = "directory"
	KindSlot        Kind = "slot"
	KindCgroup      Kind = "cgroup"
	KindOwnCgroup   Kind = "own-cgroup"
	KindBridge      Kind = "bridge"
	KindTap         Kind = "tap"
	KindDisk        Kind = "disk"
	KindLayer       Kind = "layer"
	KindTemplate    Kind = "template"
	KindMedium      Kind = "medium"
	KindFirmware    Kind = "firmware"
	KindVars        Kind = "vars"
	KindLog         Kind = "log"
	KindSocket      Kind = "socket"
	KindAccess      Kind = "access"
	KindRootfs      Kind = "room"
	KindJail        Kind = "jail"
	KindHypervisor  Kind = "hypervisor"
	KindScreen      Kind = "screen"
	KindWorker      Kind = "worker"
	KindStack       Kind = "stack"
	KindNetwork     Kind = "network"
	KindCapture     Kind = "capture"
	KindTPM         Kind = "tpm"
	KindRuleset     Kind = "ruleset"
	KindJailRootfs  Kind = "tree"
	KindScratchCopy Kind = "double"
	KindMount       Kind = "mount"
	KindDevMount    Kind = "devfs"
	KindPrison      Kind = "prison"
	KindRctl        Kind = "rctl"
	KindModem       Kind = "modem"
	KindVM          Kind = "vm"
	KindBhyve       Kind = "bhyve"
	KindRelay       Kind = "relay"
)

// newSpec makes an empty spec of a kind, to be filled from JSON.
func newSpec(k Kind) (Spec, error) {
	row, ok := kinds[k]
	if !ok {
		return nil, fmt.Errorf("unknown kind of resource %q", k)
	}
	return row.empty(), nil
}

// quote writes one word as a POSIX shell needs it.
func quote(word string) string {
	safe := word != ""
	for _, r := range word {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=/.,:@%", r) {
			safe = false
			break
		}
	}
	if safe {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// command joins words to a line that a person could type.
func command(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}

// writes is the command that writes a value into a kernel file.
func writes(value, file string) string {
	return "echo " + quote(value) + " > " + quote(file)
}
