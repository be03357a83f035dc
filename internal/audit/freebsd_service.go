package audit

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"skep/internal/cell"
	"skep/internal/jailparam"
	"skep/internal/kinfo"
	"skep/internal/network"
	"skep/internal/plan"
)

// bsdStack is a network stack that nobody uses, as the kernel shows it.
type bsdStack struct {
	Params     map[string]string       `json:"params"`
	Inside     []string                `json:"inside"` // processes
	Interfaces []string                `json:"interfaces"`
	Addresses  []string                `json:"addresses"`
	Links      map[string]network.Link `json:"links"`
	Read       bool                    `json:"read"`
}

// serviceKinds are the descriptors of what serves a card, and the most that each may be good for: what the keeper
// hands it (internal/provision, network.go and network_freebsd.go).
var serviceKinds = []handKind{
	{"said", "write fstat", "its own standard output and error"},
	{"connection", "read write event fcntl", "the keeper"},
	{"broker", "read write event fcntl getsockopt setsockopt getpeername getsockname shutdown", "whom it asks for sockets"},
	{"until", "read event fcntl fstat", "its end"},
	{"frames", "read write event fcntl fstat ioctl", "bpf(4), bound to the card's tap"},
	{"frames to read", "read event fcntl fstat ioctl", "bpf(4) of a capture, one for each direction"},
	{"record", "read write seek seek_tell fstat ftruncate fcntl", "what the guest did, and its frames"},
	{"answer", "read seek seek_tell fstat fcntl", "what is answered with"},
}

// services: what a guest's frames go to has no rights. A guest that takes one over has won as little as in its hypervisor.
func (a *bsdAudit) services() {
	if a.want == nil {
		return
	}
	for _, r := range a.want.plan.Resources {
		_, label, _ := strings.Cut(r.ID, ":")
		prefix, mode := "", ""
		var spec *plan.Worker
		switch s := r.Spec.(type) {
		case *plan.Network:
			prefix, spec, mode = "network-"+label, s.Process, s.Mode
		case *plan.Capture:
			prefix, spec = "capture-"+label, s.Process
		}
		if spec == nil {
			continue
		}
		w := a.Services[r.ID]
		if w == nil {
			a.add(GroupServices, prefix+"-uid", Missing, "a live process", "there is none")
			continue
		}
		files := map[fileID]string{}
		for what, id := range w.Own {
			files[id], _, _ = strings.Cut(what, " ")
		}
		b := &bsdBeside{bsdAudit: a, w: w, spec: spec, group: GroupServices, prefix: prefix}
		b.judged(serviceKinds, func(f kinfo.File) string { return serviceKind(w, f, files, mode) })
	}
}

// serviceKind says what a descriptor is, "" for one that is on no list. What Go's runtime makes is "own". A capture has
// no mode.
func serviceKind(w *bsdSeen, f kinfo.File, files map[fileID]string, mode string) string {
	const unix = 1 // AF_LOCAL of sys/sys/socket.h
	switch f.Type {
	case kinfo.TypeKqueue, kinfo.TypeEventfd:
		return "own"
	case kinfo.TypePipe:
		if f.FD <= 2 {
			return "said"
		}
		return "until"
	case kinfo.TypeSocket:
		switch {
		case f.Domain == unix && mode == cell.NetworkUser:
			return "broker"
		case f.Domain == unix:
			return "connection"
		case mode == cell.NetworkUser:
			return "own" // it was handed over, connected
		}
		return ""
	case kinfo.TypeVnode:
	default:
		return ""
	}
	switch device := w.Devices[f.FD]; {
	case f.Vnode == kinfo.Character && device == "null":
		return "own"
	case f.Vnode == kinfo.Character && (device == "bpf" || strings.HasPrefix(device, "bpf")):
		if mode == "" {
			return "frames to read"
		}
		return "frames"
	case f.Vnode == kinfo.Regular:
		return files[fileID{f.Fsid, f.ID}]
	}
	return ""
}

// stack: the taps of cards on networks in user space meet no address, no route and no process.
func (a *bsdAudit) stack() {
	specs := plan.Specs[*plan.Stack](a.want.plan)
	if len(specs) == 0 {
		return
	}
	const want = "the taps as planned and a loopback that is down, no address, no process, no permission"
	s := a.Stack
	switch {
	case s == nil:
		a.add(GroupNetwork, "stack", Missing, want, "there is no jail "+specs[0].Jail)
		return
	case !s.Read:
		a.add(GroupNetwork, "stack", Unknown, want, "cannot be read")
		return
	}
	odd := append(slices.Clone(s.Addresses), s.Inside...)
	planned := map[string]*plan.Tap{}
	for _, t := range plan.Specs[*plan.Tap](a.want.plan) {
		if t.Stack == specs[0].Jail {
			planned[t.Name] = t
		}
	}
	for name, t := range planned {
		switch l, there := s.Links[name]; {
		case !there:
			odd = append(odd, "there is no "+name)
		case l.Tag != t.Tag:
			odd = append(odd, fmt.Sprintf("%s has the tag %q", name, l.Tag))
		case !l.Up:
			odd = append(odd, name+" is down")
		}
	}
	for _, name := range s.Interfaces {
		if planned[name] == nil && (name != "lo0" || s.Links[name].Up) {
			odd = append(odd, name)
		}
	}
	allowed := map[string]bool{}
	for _, p := range specs[0].Params(false) {
		allowed[p.Name] = true
		if seen := s.Params[p.Name]; seen != p.Value() {
			odd = append(odd, p.Name+" = "+orWords(seen, "not told"))
		}
	}
	for name, v := range s.Params {
		if strings.HasPrefix(name, "allow.") && v == "true" && !allowed[name] {
			odd = append(odd, name)
		}
	}
	if v := s.Params["vnet"]; v != jailparam.New.String() {
		odd = append(odd, "vnet = "+v)
	}
	sort.Strings(odd)
	odd = slices.Compact(odd)
	a.none(GroupNetwork, "stack", want, odd)
}
