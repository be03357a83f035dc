package host

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"skep/internal/layer"
)

// LeastLinux is the first kernel that a jail can be built on: mount_setattr(2)
// makes the private root, and nothing takes its place.
const LeastLinux = "5.12"

// namespaceLayers are had with one clone3(2), and so fail for the same reasons.
var namespaceLayers = []layer.ID{layer.UserNamespace, layer.MountNamespace, layer.PIDNamespace, layer.NetworkNamespace,
	layer.IPCNamespace, layer.UTSNamespace, layer.CgroupNamespace, layer.TimeNamespace}

var cgroupLayers = []layer.ID{layer.CgroupMemory, layer.CgroupPids, layer.CgroupCPU}

// whyMissing says why a layer cannot be had here and what gives it back. Both
// follow from what was asked and from the kernel's answer; that another kernel
// is needed is said only where this one is too old.
func (f Facts) whyMissing(id layer.ID) (why, fix string) {
	p := f.Linux.Layers[id]
	switch {
	case slices.Contains(cgroupLayers, id):
		return orElse(p.Detail, f.Linux.Cgroup.Why), CgroupFix(f.Linux.Cgroup, f.EUID)
	case id == layer.OwnUID && f.Slots.Clash != "":
		return p.Detail, EnvUIDBase + "=NUMBER moves the range"
	case slices.Contains(namespaceLayers, id):
		return f.whyNoNamespace(p)
	case p.Errno == "EBUSY":
		return refusal(p) + ": a container manager has a listener on this process already, and the kernel allows one",
			"run skep outside of that container, or without the manager's seccomp notifications (listenerPath in its profile)"
	case p.Errno == "EPERM" || p.Errno == "EACCES":
		return refusal(p) + f.filtersSay(), "a security module or a filter of a parent's refuses it: start skep outside of that, or allow the call there"
	}
	row, _ := layer.Find(id)
	return orElse(p.Detail, "not there"), f.kernelFix(row)
}

func refusal(p layer.Probe) string {
	if p.Asked == "" {
		return orElse(p.Detail, "not allowed")
	}
	return p.Asked + ": " + orElse(p.Detail, "not allowed")
}

// filtersSay names the filters that may be behind a refusal.
func (f Facts) filtersSay() string {
	if f.Linux.Around.Filters == 0 {
		return ""
	}
	return "; this process has a seccomp filter of a parent's"
}

// whyNoNamespace tells the reasons of user_namespaces(7) and clone(2) apart.
func (f Facts) whyNoNamespace(p layer.Probe) (why, fix string) {
	l := f.Linux
	switch {
	case l.UserNSRestricted && f.EUID != 0, l.UserNSOff != "":
		return refusal(p) + ": " + orElse(l.UserNSOff, "kernel.apparmor_restrict_unprivileged_userns=1"), userNSFix(l)
	case l.Around.Chroot && p.Errno == "EPERM":
		return refusal(p) + ": this is a chroot, in which the kernel makes no user namespace",
			"enter it with pivot_root(8) in place of chroot(8), as systemd-nspawn and containers do, or run skep outside"
	case p.Errno == "EPERM" && l.Around.Filters > 0:
		return refusal(p) + f.filtersSay(), "allow clone3, unshare and mount in the container's seccomp profile (docker: --security-opt seccomp=unconfined), or run skep outside of the container"
	case p.Errno == "EPERM":
		return refusal(p), "a chroot, a security module or a setting of the distribution's refuses user namespaces: run skep outside of a chroot, or as root"
	case p.Errno == "ENOSPC":
		return refusal(p) + ": a limit below /proc/sys/user is reached", "sysctl user.max_user_namespaces=10000 user.max_mnt_namespaces=10000 user.max_pid_namespaces=10000 " +
			"user.max_net_namespaces=10000 user.max_ipc_namespaces=10000 user.max_uts_namespaces=10000 user.max_cgroup_namespaces=10000"
	case p.Errno == "EUSERS":
		return refusal(p) + ": user namespaces are nested too deep", "run skep outside of some of them"
	case p.Errno == "EAGAIN":
		return refusal(p) + ": no further process may be made", "raise ulimit -u, or pids.max of the control group that this runs in"
	}
	row, _ := layer.Find(layer.UserNamespace)
	return orElse(p.Detail, "not there"), f.kernelFix(row)
}

// kernelFix is said where the kernel itself has not got a layer.
func (f Facts) kernelFix(row layer.Layer) string {
	if before(f.Kernel, row.Kernel) {
		return fmt.Sprintf("Linux %s has it; this is %s", row.Kernel, f.Kernel)
	}
	if f.Linux.Around.Filters > 0 {
		return fmt.Sprintf("this kernel (%s) is new enough: a seccomp filter of a parent's hides the call; run skep outside of it", f.Kernel)
	}
	return fmt.Sprintf("this kernel (%s) is new enough and was built or booted without it", f.Kernel)
}

// before says whether a release ("6.1.0-57-cloud-amd64") is earlier than a
// version ("6.3"). What cannot be read is not earlier.
func before(release, version string) bool {
	number := func(s string) (n [2]int, ok bool) {
		parts := strings.SplitN(s, ".", 3)
		for i := 0; i < 2 && i < len(parts); i++ {
			digits := parts[i]
			if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
				digits = digits[:end]
			}
			var err error
			if n[i], err = strconv.Atoi(digits); err != nil {
				return n, false
			}
		}
		return n, len(parts) > 1
	}
	a, ok1 := number(release)
	b, ok2 := number(version)
	return ok1 && ok2 && (a[0] < b[0] || a[0] == b[0] && a[1] < b[1])
}

// fixNull also brings the other device nodes that a start opens.
const fixNull = "mount -t devtmpfs devtmpfs /dev"

// standsInTheWay is what no cell file can allow: without it there is no jail at
// all. "" where nothing does.
func (f Facts) standsInTheWay() (why, fix string) {
	l := f.Linux
	if l.Around.NoProc != "" {
		return l.Around.NoProc, "mount -t proc proc /proc"
	}
	if l.Around.NoNull != "" {
		return l.Around.NoNull, fixNull
	}
	if p, ok := l.Layers[layer.PrivateRoot]; ok && p.State == layer.Lacking {
		why = fmt.Sprintf("no private root can be made (%s: %s); the least Linux is %s", orElse(p.Asked, "mount_setattr(2)"), orElse(p.Detail, "not there"), LeastLinux)
		row, _ := layer.Find(layer.PrivateRoot)
		return why, f.kernelFix(row)
	}
	return "", ""
}
