package audit

import (
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"

	"skep/internal/kinfo"
	"skep/internal/plan"
)

// handleKinds are the descriptors that a bhyve has, and the most that each may
// be good for: what bhyve itself asks for before it enters capability mode
// (usr.sbin/bhyve and lib/libvmmapi of FreeBSD 14.2). A right more than that
// leads on to something that bhyve does not need.
var handleKinds = []struct {
	kind, rights, why string
}{
	{"vm", "ioctl mmap seek seek_tell read write", "runs the guest and maps its memory: vm_limit_rights"},
	{"console", "event ioctl read write", "the near end of the null modem: uart_backend.c"},
	{"tap", "event read write", "a network card: net_backends.c"},
	{"disk", "fsync ioctl read seek seek_tell write fstat event fpathconf", "an image or a volume: block_if.c"},
	{"variables", "fsync ioctl read seek seek_tell write fstat event fpathconf mmap", "UEFI variables: bootrom.c maps and closes them"},
	{"random", "read", "virtio-rnd: pci_virtio_rnd.c"},
	{"events", "kqueue_event kqueue_change", "what wakes the device models: mevent.c"},
	{"pipe", "event read write", "the same, from other threads: mevent.c"},
	{"screen", "accept event read write", "viewers: rfb.c"},
	{"debugger", "accept event read write setsockopt ioctl", "debuggers: gdb.c"},
	{"reserved", "accept event read write setsockopt ioctl", "nothing yet: accept(2) takes its number and its rights before anybody connects"},
	{"debugger's files", "fstat lookup mmap seek seek_tell read", "how the processor is described: gdb.c"},
	{"share", "lookup acl_check acl_delete acl_get acl_set read write seek seek_tell fstat create fchmod fchown ftruncate linkat_source linkat_target mkdirat mknodat renameat_source renameat_target symlinkat unlinkat extattr_delete extattr_get extattr_list extattr_set futimes fstatfs fsync fpathconf", "a directory of the host's that the cell file shows: pci_virtio_9p.c"},
	{"pci", "ioctl read write", "a device that is passed through: pci_passthru.c"},
	{"log", "event fcntl fstat ioctl seek seek_tell write", "standard output and error: caph_limit_stream(3)"},
	{"lock", "", "an image's lock: open and no more"},
}

// anyRights are kinds that nobody limits, because there is nothing behind them.
var anyRights = []string{"null", "helper"}

// handles: every descriptor is one that the plan names or that bhyve makes for
// itself, and is good for no more than bhyve needs.
func (a *bsdAudit) handles() {
	all := a.descriptors()
	if !a.FilesRead || len(all) == 0 {
		a.add(GroupHandles, "descriptors", Unknown, "only planned ones", "cannot be read")
		return
	}
	a.directories(all)
	if a.want == nil {
		a.anyHandles(all)
		return
	}
	var extra, wide []string
	counts := map[string]int{}
	for _, f := range all {
		kind := a.kindOf(f)
		if kind == "" {
			extra = append(extra, fmt.Sprintf("%d -> %s", f.FD, a.target(f)))
			continue
		}
		counts[kind]++
		if more := beyond(kind, f.Rights); !more.None() {
			wide = append(wide, fmt.Sprintf("%d -> %s: %s", f.FD, a.target(f), more))
		}
	}
	a.none(GroupHandles, "descriptors", "only planned ones", extra)
	a.none(GroupHandles, "descriptor-rights", "no right that bhyve does not need", wide)
	var kinds, closed []string
	for k, n := range counts {
		kinds = append(kinds, fmt.Sprintf("%d %s", n, k))
	}
	sort.Strings(kinds)
	for kind, n := range a.held() {
		if counts[kind] < n {
			closed = append(closed, kind)
		}
	}
	sort.Strings(closed)
	a.yes(GroupHandles, "kinds", "as planned", len(closed) == 0, true, orWords(orNot(len(closed) == 0, "not held: "+summary(closed)), strings.Join(kinds, ", ")))
}

// beyond are the rights that a descriptor has and its kind does not need.
func beyond(kind string, r kinfo.Rights) kinfo.Rights {
	for _, k := range handleKinds {
		if k.kind == kind {
			most, err := kinfo.NamedRights(k.rights)
			if err != nil {
				return r
			}
			return r.Without(most)
		}
	}
	if slices.Contains(anyRights, kind) {
		return kinfo.Rights{}
	}
	return r
}

// held is what a running cell must hold, and how many of each.
func (a *bsdAudit) held() map[string]int {
	n := map[string]int{"vm": 1, "console": 1, "events": 1}
	if taps := len(plan.Specs[*plan.Tap](a.want.plan)); taps > 0 {
		n["tap"] = taps
	}
	disks := len(plan.Specs[*plan.Disk](a.want.plan)) + len(plan.Specs[*plan.Medium](a.want.plan))
	if disks > 0 {
		n["disk"] = disks
	}
	return n
}

// kindOf says what a descriptor is, or "" for one that is on no list.
func (a *bsdAudit) kindOf(f kinfo.File) string {
	switch f.Type {
	case kinfo.TypeKqueue:
		return "events"
	case kinfo.TypePipe:
		return "pipe"
	case kinfo.TypeSocket:
		return a.socketKind(f)
	case kinfo.TypeUnknown:
		if f.Flags == 0 && a.listens() {
			return "reserved"
		}
	case kinfo.TypeProcdesc:
		if a.want.shares > 0 {
			return "helper"
		}
	case kinfo.TypeVnode:
		switch f.Vnode {
		case kinfo.Character:
			return a.deviceKind(f)
		case kinfo.Regular:
			return a.fileKind(f)
		case kinfo.Directory:
			return a.directoryKind(f)
		}
	}
	return ""
}

func (a *bsdAudit) deviceKind(f kinfo.File) string {
	name := a.Devices[f.FD]
	w := a.want
	switch {
	case name == "null":
		return "null"
	case name == "vmm/"+w.bhyve.VM:
		return "vm"
	case "/dev/"+name == w.modem.Inside:
		return "console"
	}
	for _, t := range plan.Specs[*plan.Tap](w.plan) {
		if name == t.Name {
			return "tap"
		}
	}
	for _, d := range plan.Specs[*plan.Disk](w.plan) {
		if "/dev/"+name == d.Path {
			return "disk"
		}
	}
	if slices.Contains([]string{"random", "pci"}, name) && plannedNodes(w.dev)[name] {
		return name
	}
	return ""
}

func (a *bsdAudit) fileKind(f kinfo.File) string {
	w := a.want
	if f.Path == "" {
		return ""
	}
	for _, l := range plan.Specs[*plan.Log](w.plan) {
		if l.Name == "hypervisor-log" && f.Path == w.resolve(l.Path) {
			return "log"
		}
	}
	vars := map[string]bool{}
	for _, v := range plan.Specs[*plan.Vars](w.plan) {
		vars[v.Path] = true
	}
	for _, m := range w.mounts {
		switch {
		case m.Size > 0 || m.Dir:
		case f.Path == w.inRootfs(m.Inside) && vars[m.From]:
			return "variables"
		case f.Path == w.inRootfs(m.Inside):
			return "disk"
		}
	}
	// The lock of an image is a descriptor of the host's own file.
	for _, d := range plan.Specs[*plan.Disk](w.plan) {
		if f.Path == w.resolve(d.Path) {
			return "lock"
		}
	}
	return ""
}

func (a *bsdAudit) directoryKind(f kinfo.File) string {
	for _, m := range a.want.mounts {
		if !m.Dir || f.Path != a.want.inRootfs(m.Inside) {
			continue
		}
		switch {
		case path.Base(path.Dir(m.Inside)) == "share":
			return "share"
		case strings.HasPrefix(m.Inside, "/usr/share/bhyve/"):
			return "debugger's files"
		}
	}
	return ""
}

// socketKind knows a socket by where it listens; the ones that bhyve accepts
// there have the same address.
func (a *bsdAudit) socketKind(f kinfo.File) string {
	w := a.want
	if f.Domain == kinfo.AFUnix && f.Local == "" && w.shares > 0 {
		return "helper"
	}
	kinds := map[string]string{"screen": "screen", "gdb": "debugger"}
	for _, r := range plan.Specs[*plan.Relay](w.plan) {
		socket, unix := strings.CutPrefix(r.Inside, "unix:")
		if f.Local != "" && (!unix && f.Local == r.Inside || unix && path.Base(socket) == path.Base(f.Local)) {
			return kinds[r.Name]
		}
	}
	for _, s := range plan.Specs[*plan.Screen](w.plan) {
		if s.Listen != "" && f.Local == s.Listen {
			return "screen"
		}
	}
	if w.debugger != "" && f.Local == w.debugger {
		return "debugger"
	}
	return ""
}

// listens says whether bhyve waits for viewers or debuggers.
func (a *bsdAudit) listens() bool {
	w := a.want
	return len(plan.Specs[*plan.Relay](w.plan))+len(plan.Specs[*plan.Screen](w.plan)) > 0 || w.debugger != ""
}

// directories: through a directory of the host's a jail is left, whatever its
// rights are.
func (a *bsdAudit) directories(all []kinfo.File) {
	var dirs []string
	for _, f := range all {
		if f.Type != kinfo.TypeVnode || f.Vnode != kinfo.Directory {
			continue
		}
		if a.want == nil || a.directoryKind(f) == "" {
			dirs = append(dirs, fmt.Sprintf("%d -> %s", f.FD, a.target(f)))
		}
	}
	a.none(GroupHandles, "directories", "no directory but those that the cell file shows", dirs)
}

// anyHandles lists what a hypervisor of somebody else's holds.
func (a *bsdAudit) anyHandles(all []kinfo.File) {
	var paths, wide []string
	for _, f := range all {
		if f.Type == kinfo.TypeVnode && a.Devices[f.FD] != "null" && !strings.HasPrefix(a.Devices[f.FD], "vmm/") {
			paths = append(paths, fmt.Sprintf("%d -> %s", f.FD, a.target(f)))
		}
		if f.Rights.All() && a.Devices[f.FD] != "null" {
			wide = append(wide, fmt.Sprintf("%d -> %s", f.FD, a.target(f)))
		}
	}
	a.none(GroupHandles, "descriptors", "none that a plan does not name", paths)
	a.none(GroupHandles, "descriptor-rights", "no descriptor with every right", wide)
}
