package linuxjail

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"skep/internal/jail"
	"skep/internal/layer"
)

// check finds what no host could do. The plan has checked what people write; this guards the rootfs
// against the plan: a path that climbs out would be made on the host.
func (s Spec) check() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(format, args...))
	}
	seen := map[jail.RootfsPath]bool{}
	for _, p := range s.Root.paths() {
		if !clean(p) {
			bad("%q is not a clean absolute path of a rootfs", p)
		}
		if seen[p] {
			bad("%q is in the rootfs twice", p)
		}
		seen[p] = true
	}
	for _, n := range s.Root.Nodes {
		if path.Dir(string(n.Inside)) != "/dev" {
			bad("device %q is not in /dev", n.Inside)
		}
	}
	for _, p := range s.Root.paths() {
		if path.Dir(string(p)) == "/dev" && !slices.ContainsFunc(s.Root.Nodes, func(n Node) bool { return n.Inside == p }) {
			bad("%q is in /dev and no device", p)
		}
	}
	if !seen[s.Path] {
		bad("the hypervisor %q is not in the rootfs", s.Path)
	}
	if len(s.Argv) == 0 {
		bad("the hypervisor has no argv")
	}
	for _, arg := range append([]string{s.Hostname, string(s.Path)}, s.Argv...) {
		if strings.ContainsRune(arg, 0) {
			bad("%q holds a NUL", arg)
		}
	}
	if s.Hostname == "" || len(s.Hostname) > 64 {
		bad("a host name has 1 to 64 bytes, not %d", len(s.Hostname))
	}
	// Without a mount namespace the root that is exchanged would be the host's.
	if layer.On(s.Layers, layer.PrivateRoot) && !layer.On(s.Layers, layer.MountNamespace) {
		bad("a private root takes a mount namespace")
	}
	// User 0 would own the host's files even without a capability.
	if s.Identity.UID <= 0 || s.Identity.GID <= 0 {
		if s.Identity.Mapping != jail.ByOwn {
			bad("user %d and group %d: neither may be 0", s.Identity.UID, s.Identity.GID)
		}
	}
	for i, fd := range s.FDs {
		if fd.File == nil {
			bad("descriptor %d (%s) is not open", FDNumber(i), fd.Name)
		}
	}
	for _, h := range s.Handed {
		if h.File == nil || !clean(h.Name) {
			bad("the file that is handed in as %q is not open, or its name is not a path", h.Name)
		}
	}
	if s.WithCaller && s.EmptyMounts != nil {
		bad("what ends with its caller is started by the caller's own thread")
	}
	for _, c := range s.Root.Copies {
		if c.From == nil || c.Size < 0 {
			bad("the source of %q is not open", c.Inside)
		}
	}
	if s.Root.Size <= 0 {
		bad("the rootfs has no size")
	}
	if len(errs) == 0 {
		return nil
	}
	return &jail.BuildError{Err: errors.Join(errs...)}
}

func clean(p jail.RootfsPath) bool {
	return strings.HasPrefix(string(p), "/") && p != "/" && path.Clean(string(p)) == string(p) && !strings.ContainsRune(string(p), 0)
}
