package host

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/layer"
)

// Reason is one step of a decision: what was found and what follows from it.
type Reason struct {
	Fact        string `json:"fact"`
	Consequence string `json:"consequence"`
}

// Accelerator is how a cell's guest is executed on a Linux host.
type Accelerator struct {
	Accel cell.Accel `json:"accel"` // AccelKVM or AccelTCG
	// CPU is the processor model that was seen to run, "" for the best one.
	CPU string `json:"cpu,omitempty"`
	// Notice is one line for a person whose guest is emulated though the cell
	// file did not ask for that; "" when all is as expected.
	Notice string `json:"notice,omitempty"`
	// Untried is set where a trial of KVM could still change the answer.
	Untried bool     `json:"untried,omitempty"`
	Why     []Reason `json:"why"`
}

// ChooseAccel decides between KVM and TCG. "auto" trusts KVM only after the
// built-in guest was seen to run under it, and never for a firmware or kernel
// (KVM.Boot) that it failed on before; "kvm" is an order, and not to be able to
// follow it is an error.
func ChooseAccel(c *cell.Cell, f Facts) (Accelerator, error) {
	if c.Accel == cell.AccelTCG {
		return Accelerator{Accel: cell.AccelTCG, Why: []Reason{
			{`the cell file says accel = "tcg"`, "the guest is emulated"}}}, nil
	}
	k := f.Linux.KVM
	no, fix := kvmObstacle(f)
	if c.Accel == cell.AccelKVM {
		if no != "" {
			return Accelerator{}, fault.New(fault.Host, fix, `use accel = "kvm" as the cell file says: %s`, no)
		}
		a := Accelerator{Accel: cell.AccelKVM, CPU: k.CPU, Untried: !k.Tried, Why: []Reason{
			{`the cell file says accel = "kvm"`, "KVM runs the guest"}}}
		if k.refusesBoot() {
			a.Notice = "KVM failed on this firmware or kernel before; the cell file asks for it all the same"
		}
		return a, nil
	}
	a := Accelerator{Accel: cell.AccelTCG}
	switch {
	case no != "":
	case !k.Tried:
		no, a.Untried = "it was not tried on this host yet", true
	case k.Software && c.Boot.Kind == cell.BootKernel:
		// A guest that hangs before its first word cannot be told from a slow
		// one, so nothing could fall back later.
		no = "it is a software one (kvm_pvm), on which Linux kernels hang without a word"
	case k.refusesBoot():
		no = "it failed on this firmware or kernel before"
	default:
		return Accelerator{Accel: cell.AccelKVM, CPU: k.CPU, Why: []Reason{
			{"the built-in guest ran under KVM", "KVM runs the guest"}}}, nil
	}
	a.Notice = "KVM is not used: " + no + "; the guest is emulated and slower"
	a.Why = []Reason{{"KVM: " + no, "the guest is emulated"}}
	return a, nil
}

// refusesBoot says whether what this cell boots is on the list of failures.
func (k KVM) refusesBoot() bool { return k.Boot != "" && slices.Contains(k.Refused, k.Boot) }

// kvmObstacle says what stands between this caller and KVM, and how to fix it.
func kvmObstacle(f Facts) (no, fix string) {
	k := f.Linux.KVM
	switch {
	case f.Arch != "amd64":
		return "cells are x86-64 machines and this host is " + f.Arch, `accel = "tcg" emulates one`
	case !k.Present:
		return orElse(k.Why, "there is no /dev/kvm"), "modprobe kvm_intel (or kvm_amd), and enable virtualisation in the firmware setup; " + `accel = "tcg" needs neither`
	case !k.Opens:
		return orElse(k.Why, "/dev/kvm does not open"), "usermod -aG kvm USER, then log in again"
	case k.Tried && !k.Works:
		return "the built-in guest did not run under it (" + orElse(k.Why, "no greeting") + ")", `accel = "tcg" emulates`
	}
	return "", ""
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// ChooseLayers decides which layers the jail of a cell has on this host. The
// decisions come with the error too, so that they can be shown.
func ChooseLayers(c *cell.Cell, f Facts) ([]layer.Decision, error) {
	probes := map[layer.ID]layer.Probe{}
	if f.Linux != nil {
		for id, p := range f.Linux.Layers {
			probes[id] = p
		}
	}
	if c.Jail.Limits.CPU == 0 {
		// A limit that nobody asked for cannot be missed.
		probes[layer.CgroupCPU] = layer.Probe{State: layer.Moot, Detail: "the cell file sets no cpu limit"}
	}
	d, err := layer.Decide(probes, c.Jail.AllowMissing)
	if err != nil {
		hint := "skep doctor says what gives it back; jail { allow_missing = [\"NAME\"] } does without, and is shown as a relaxation"
		var stop *layer.MissingError
		if errors.As(err, &stop) && f.Linux != nil && len(stop.Missing) > 0 {
			for _, l := range stop.Missing {
				stop.Why[l.ID], _ = f.whyMissing(l.ID)
			}
			// One that is missed by many comes first, and its fix is theirs.
			_, fix := f.whyMissing(stop.Missing[0].ID)
			hint = orElse(fix, hint)
		}
		return d, fault.Wrap(fault.Jail, err, hint, "build the jail of %s", c.Name)
	}
	return d, nil
}

// Identity is who the hypervisor is, as the host sees it.
type Identity struct {
	// Mapping says how the numbers are come by: "root" sets them, "subuid" has
	// newuidmap(1) map one of the caller's subordinate numbers, "own" is the
	// caller's own.
	Mapping string   `json:"mapping"`
	UID     int      `json:"uid"`
	GID     int      `json:"gid"`
	Why     []Reason `json:"why"`
}

// The mappings of an Identity.
const (
	MappingRoot   = "root"
	MappingSubUID = "subuid"
	MappingOwn    = "own"
)

// ChooseIdentity decides who the hypervisor in a slot is.
func ChooseIdentity(f Facts, slot int) Identity {
	if f.EUID == 0 {
		n := f.Slots.UIDBase + slot
		return Identity{MappingRoot, n, n, []Reason{
			{"skep runs as root", fmt.Sprintf("the hypervisor gets uid and gid %d, which are no one else's", n)}}}
	}
	if f.Linux != nil && f.Linux.SubID != nil {
		s := f.Linux.SubID
		u, g := s.UIDStart+offset(s.UIDCount, f.Slots.Count)+slot, s.GIDStart+offset(s.GIDCount, f.Slots.Count)+slot
		return Identity{MappingSubUID, u, g, []Reason{
			{"the caller has subordinate numbers", fmt.Sprintf("the hypervisor gets uid %d and gid %d of them", u, g)}}}
	}
	return Identity{MappingOwn, f.EUID, f.EGID, []Reason{
		{"the caller has no subordinate numbers", "the hypervisor keeps the caller's uid and supplementary groups, which only root could take away"}}}
}

// offset is where the slots begin in a subordinate range. Rootless containers
// take theirs from its beginning and have a "nobody" close to its 65536th;
// the middle is where neither comes.
func offset(count, slots int) int {
	return max(0, min(count/2, count-slots))
}

// Fit bounds the slots by what a subordinate range has room for.
func (s *SubID) Fit(slots int) int {
	return min(slots, s.UIDCount, s.GIDCount)
}

// toolNumbers are how many numbers beside the slots' are for tools, which are jailed for a moment each.
const toolNumbers = 512

// WorkerIdentity is who the worker of the cell in a slot is: a number of its own above those of all cells, or below
// where there is no room. A subordinate range that has fewer numbers than that is shared by workers first.
func WorkerIdentity(f Facts, slot int) Identity {
	who := ChooseIdentity(f, slot)
	switch who.Mapping {
	case MappingRoot:
		u := f.Slots.UIDBase + f.Slots.Count + slot
		if u > MaxUID {
			u = f.Slots.UIDBase - 1 - slot
		}
		return Identity{Mapping: MappingRoot, UID: u, GID: u}
	case MappingSubUID:
		s := f.Linux.SubID
		beside := func(count int) int {
			free := max(1, count-f.Slots.Count)
			return (offset(count, f.Slots.Count) + f.Slots.Count + slot%free) % count
		}
		return Identity{Mapping: MappingSubUID, UID: s.UIDStart + beside(s.UIDCount), GID: s.GIDStart + beside(s.GIDCount)}
	}
	return Identity{Mapping: who.Mapping, UID: who.UID, GID: who.GID}
}

// TPMIdentity is who the TPM of the cell in a slot is: a number above those of tools, or below where there is no room.
func TPMIdentity(f Facts, slot int) Identity {
	who := ChooseIdentity(f, slot)
	at := 2*f.Slots.Count + toolNumbers + slot
	switch who.Mapping {
	case MappingRoot:
		u := f.Slots.UIDBase + at
		if u > MaxUID {
			u = f.Slots.UIDBase - 1 - f.Slots.Count - toolNumbers - slot
		}
		return Identity{Mapping: MappingRoot, UID: u, GID: u}
	case MappingSubUID:
		s := f.Linux.SubID
		beside := func(count int) int { return (offset(count, f.Slots.Count) + at) % count }
		return Identity{Mapping: MappingSubUID, UID: s.UIDStart + beside(s.UIDCount), GID: s.GIDStart + beside(s.GIDCount)}
	}
	return Identity{Mapping: who.Mapping, UID: who.UID, GID: who.GID}
}

// cardsMost is how many network cards there are numbers for.
const cardsMost = 16

// ServiceIdentity is who serves a network card of the cell in a slot on FreeBSD: a number above those of TPMs, or below
// where there is no room.
func ServiceIdentity(f Facts, slot, card int) Identity {
	n := slot*cardsMost + card%cardsMost
	u := f.Slots.UIDBase + 3*f.Slots.Count + toolNumbers + n
	if u > MaxUID {
		u = f.Slots.UIDBase - 1 - 2*f.Slots.Count - toolNumbers - n
	}
	return Identity{Mapping: MappingRoot, UID: u, GID: u}
}

// ToolIdentity is who a tool is: a number just above those of the workers, or below where there is no room.
// Which of them hangs on nothing that another user could foresee and take. Two tools that meet by chance
// are in namespaces of their own all the same.
func ToolIdentity(f Facts) Identity {
	n := rand.IntN(toolNumbers)
	switch who := ChooseIdentity(f, 0); who.Mapping {
	case MappingRoot:
		u := f.Slots.UIDBase + 2*f.Slots.Count + n
		if u > MaxUID {
			u = f.Slots.UIDBase - 1 - f.Slots.Count - n
		}
		return Identity{Mapping: MappingRoot, UID: u, GID: u}
	case MappingSubUID:
		s := f.Linux.SubID
		at := offset(min(s.UIDCount, s.GIDCount), f.Slots.Count) + 2*f.Slots.Count + n
		at %= min(s.UIDCount, s.GIDCount)
		return Identity{Mapping: MappingSubUID, UID: s.UIDStart + at, GID: s.GIDStart + at}
	default:
		return Identity{Mapping: who.Mapping, UID: who.UID, GID: who.GID}
	}
}
