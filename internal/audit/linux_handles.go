package audit

import (
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"skep/internal/address"
	"skep/internal/hypervisor"
	"skep/internal/plan"
)

// handles: every descriptor is one that was handed in, or one of the few kinds
// that a hypervisor makes for itself.
func (a *linuxAudit) handles() {
	if len(a.FDs) == 0 {
		a.add(GroupHandles, "descriptors", Unknown, "only planned ones", "cannot be read")
		return
	}
	if a.plan == nil {
		a.foreignHandles()
		return
	}
	planned := a.plannedFiles()
	var extra []string
	counts := map[string]int{}
	for _, d := range a.FDs {
		kind := a.kindOf(d, planned)
		if kind == "" {
			extra = append(extra, fmt.Sprintf("%d -> %s", d.Number, d.Target))
			continue
		}
		counts[kind]++
	}
	a.none(GroupHandles, "descriptors", "only planned ones", extra)
	var kinds []string
	for k, n := range counts {
		kinds = append(kinds, fmt.Sprintf("%d %s", n, k))
	}
	sort.Strings(kinds)
	a.add(GroupHandles, "kinds", Seen, "as planned", strings.Join(kinds, ", "))
	var missing []string
	for _, h := range plan.Specs[*plan.Hypervisor](a.plan) {
		for _, d := range h.Descriptors {
			if !a.hasFD(d.Number) && d.Use == string(hypervisor.UseListen) {
				missing = append(missing, d.Name)
			}
		}
	}
	if len(missing) > 0 {
		a.add(GroupHandles, "planned", Missing, "every planned socket is held", "closed: "+strings.Join(missing, ", "))
	}
}

func (a *linuxAudit) hasFD(n int) bool {
	for _, d := range a.FDs {
		if d.Number == n {
			return true
		}
	}
	return false
}

// devNull is what a hypervisor is given where it is to read or write nothing.
const devNull = "/dev/null"

// planFiles are the files that a plan hands in, by what they are for.
func planFiles(p *plan.Plan) map[string]string {
	files := map[string]string{devNull: "null"}
	for _, r := range p.Resources {
		switch s := r.Spec.(type) {
		case *plan.Disk:
			files[s.Path] = "disk"
		case *plan.Layer:
			files[s.Base] = base
			if s.Frozen != "" {
				files[s.Frozen] = base
			}
		case *plan.Template:
			if !s.Make {
				files[s.RAM()] = base
			}
		case *plan.Vars:
			files[s.Path] = "variables"
		case *plan.Firmware:
			files[s.From] = "firmware"
		case *plan.Log:
			if s.Name == "console-log" {
				files[s.Path] = "log"
			}
		}
	}
	return files
}

// plannedFiles are what the files of the plan are for, by device and inode.
func (a *linuxAudit) plannedFiles() map[fileID]string {
	all := map[fileID]string{}
	for path, kind := range planFiles(a.plan) {
		if id, ok := a.PlanFiles[path]; ok {
			all[id] = kind
		}
	}
	return all
}

// ownKinds are what a hypervisor makes for itself without a call that reaches
// anything outside.
var ownKinds = []string{"[eventfd]", "[eventpoll]", "[signalfd]", "[timerfd]", "kvm-vm", "kvm-vcpu"}

// kindOf says what a descriptor is, or "" for one that is on no list.
func (a *linuxAudit) kindOf(d Descriptor, planned map[fileID]string) string {
	if rest, ok := strings.CutPrefix(d.Target, "anon_inode:"); ok {
		for _, k := range ownKinds {
			if strings.HasPrefix(rest, k) {
				return "own"
			}
		}
		return ""
	}
	switch {
	case strings.HasPrefix(d.Target, "pipe:") && d.Number == 2:
		return "standard error"
	case strings.HasPrefix(d.Target, "/memfd:hello") && len(plan.Specs[*plan.Firmware](a.plan)) > 0:
		return "firmware"
	case a.isMedium(d.Target):
		return "image"
	case strings.HasPrefix(d.Target, "/memfd:ram") && a.making():
		return "memory"
	case strings.HasPrefix(d.Target, "/memfd:tcg-jit") && a.plan.Accel == "tcg":
		return "own"
	case strings.HasPrefix(d.Target, "/memfd:displaysurface") && len(plan.Specs[*plan.Screen](a.plan)) > 0:
		return "surface"
	case strings.HasPrefix(d.Target, "/dev/net/tun") && len(plan.Specs[*plan.Tap](a.plan)) > 0:
		return "tap"
	case strings.HasSuffix(d.Target, "/kvm") && a.plan.Accel == "kvm":
		// Its mount is detached by now, so the path begins there.
		return "kvm"
	case strings.HasPrefix(d.Target, "socket:"):
		return a.socketKind(d)
	}
	kind := planned[fileID{d.Dev, d.Inode}]
	if kind == base && d.Flags&accessMode != 0 {
		return "" // one that could be written to is on no plan
	}
	return kind
}

// base is what a layer lies on. It is open for reading and nothing else: the flags of open(2) say 0 for that.
const (
	base       = "base"
	accessMode = 3
)

// making says whether the guest's memory is a file because it becomes a template.
func (a *linuxAudit) making() bool {
	for _, t := range plan.Specs[*plan.Template](a.plan) {
		return t.Make
	}
	return false
}

// isMedium knows an image that was made for the guest: it has no name any more, or never had one.
func (a *linuxAudit) isMedium(target string) bool {
	const deleted = " (deleted)"
	for _, m := range plan.Specs[*plan.Medium](a.plan) {
		if m.Path != "" && target == m.Path+deleted || m.Path == "" && target == "/memfd:"+plan.SeedMemory+deleted {
			return true
		}
	}
	return false
}

// socketKind knows a socket by the name that it was bound to: one of the
// plan's. Sockets that were handed in connected have none.
func (a *linuxAudit) socketKind(d Descriptor) string {
	name, ok := a.Sockets[d.Inode]
	if !ok {
		return ""
	}
	for _, s := range plan.Specs[*plan.Socket](a.plan) {
		if s.Path != "" && sameSocket(name, s.Path) || s.Listen != "" && samePort(name, s.Listen) {
			return s.Name
		}
	}
	if a.withTPM(d) {
		return "tpm"
	}
	for _, s := range plan.Specs[*plan.Screen](a.plan) {
		if s.Path != "" && sameSocket(name, s.Path) || s.Listen != "" && strings.HasPrefix(name, "tcp") ||
			name == nameless {
			return "screen"
		}
	}
	return ""
}

// withTPM knows the hypervisor's two connections to its TPM: one it was handed, and of the other, a pair that it made, it
// has handed the TPM an end. A third is on no plan, and neither is one whose other end is somebody else's. Where the
// kernel does not tell who that is (an ordinary user's hypervisor has made the pair in a network of its own), they are counted.
func (a *linuxAudit) withTPM(d Descriptor) bool {
	if len(plan.Specs[*plan.TPM](a.plan)) == 0 || a.Sockets[d.Inode] != nameless {
		return false
	}
	if other, known := a.Peers[d.Inode]; known && !a.ofTPM(other) {
		return false
	}
	handed := -1
	for _, h := range plan.Specs[*plan.Hypervisor](a.plan) {
		for _, o := range h.Descriptors {
			if o.Name == hypervisor.FDTPM {
				handed = o.Number
			}
		}
	}
	made := slices.IndexFunc(a.FDs, func(o Descriptor) bool {
		return o.Number != handed && strings.HasPrefix(o.Target, "socket:") && a.Sockets[o.Inode] == nameless
	})
	return d.Number == handed || made >= 0 && a.FDs[made].Number == d.Number
}

// ofTPM says whether the process that is the guest's TPM holds a socket.
func (a *linuxAudit) ofTPM(inode uint64) bool {
	for _, r := range a.plan.Resources {
		if _, is := r.Spec.(*plan.TPM); is && a.Services[r.ID] != nil && holdsSocket(a.Services[r.ID].FDs, inode) {
			return true
		}
	}
	return false
}

func holdsSocket(fds []Descriptor, inode uint64) bool {
	return slices.ContainsFunc(fds, func(d Descriptor) bool { return d.Inode == inode && strings.HasPrefix(d.Target, "socket:") })
}

// sameSocket compares names; a socket that was bound by way of a descriptor of
// its directory shows that way.
func sameSocket(name, path string) bool {
	return name == path || strings.HasPrefix(name, "/proc/self/fd/") && filepath.Base(name) == filepath.Base(path)
}

// samePort says whether a TCP socket's own address, as the kernel's tables have
// it, is on the port of a listener; an accepted one has the same.
func samePort(name, listen string) bool {
	_, port, err := address.SplitPort(listen)
	n, nerr := strconv.Atoi(port)
	return err == nil && nerr == nil && strings.HasPrefix(name, "tcp") && strings.HasSuffix(name, fmt.Sprintf(":%04X", n))
}

// foreignHandles lists what a hypervisor of somebody else's holds.
func (a *linuxAudit) foreignHandles() {
	var paths []string
	for _, d := range a.FDs {
		if d.Target == "" {
			a.add(GroupHandles, "descriptors", Unknown, "none that a plan does not name", "cannot be read")
			return
		}
		if strings.HasPrefix(d.Target, "/") && d.Target != devNull {
			paths = append(paths, fmt.Sprintf("%d -> %s", d.Number, d.Target))
		}
	}
	a.none(GroupHandles, "descriptors", "none that a plan does not name", paths)
}
