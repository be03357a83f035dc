package linuxjail

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
	"skep/internal/layer"
)

// ProbeLayers asks this host for each layer by trying it, with the rights of the caller, and
// changes nothing. id is the identity a cell would get.
func ProbeLayers(id Identity) (map[layer.ID]layer.Probe, error) {
	have := layer.Probe{State: layer.Have}
	probes := map[layer.ID]layer.Probe{
		// These came with kernels older than any that has the private root's calls.
		layer.EmptyEnv: have, layer.NoNewPrivs: have, layer.RLimits: have, layer.NoCore: have,
		layer.Capabilities: have, layer.OOMScore: have, layer.ASLR: have,
	}
	probeNamespaces(probes)
	probes[layer.PrivateRoot] = mountCalls()
	probes[layer.EmptyRootfs] = probes[layer.PrivateRoot]
	probes[layer.ClosedFDs] = asking("close_range(2)", tried(knows(unix.SYS_CLOSE_RANGE, ^uintptr(0), 0, 0)))
	probes[layer.Keyring] = asking("keyctl(2)", tried(knows(unix.SYS_KEYCTL, ^uintptr(0), 0, 0)))
	probes[layer.WXMDWE] = asking("prctl(PR_GET_MDWE)", tried(prctl(unix.PR_GET_MDWE, 0, 0, 0, 0)))
	probes[layer.KSMOff] = mootIf(prctl(unix.PR_GET_MEMORY_MERGE, 0, 0, 0, 0), unix.EINVAL, ksmDetail())
	probes[layer.CoreScheduling] = coreScheduling()
	probes[layer.Landlock] = landlockProbe()
	notify := asking("seccomp(2) with a listener", tried(notifyListener()))
	for _, id := range []layer.ID{layer.Seccomp, layer.WXSeccomp, layer.OneExec, layer.TwoPhases} {
		probes[id] = notify
	}
	probeIdentity(probes, id)
	probeCgroups(probes)
	return probes, nil
}

func tried(errno unix.Errno) layer.Probe {
	if errno == 0 {
		return layer.Probe{State: layer.Have}
	}
	return layer.Probe{State: layer.Lacking, Detail: errno.Error(), Errno: unix.ErrnoName(errno)}
}

// asking names the call that was tried.
func asking(call string, p layer.Probe) layer.Probe {
	if p.State == layer.Lacking {
		p.Asked = call
	}
	return p
}

func mootIf(errno, moot unix.Errno, why string) layer.Probe {
	if errno == moot {
		return layer.Probe{State: layer.Moot, Detail: why}
	}
	return tried(errno)
}

// probeNamespaces tries all at once, and one by one only if that fails: each child costs time.
func probeNamespaces(probes map[layer.ID]layer.Probe) {
	all := uint64(unix.CLONE_NEWCGROUP)
	for _, n := range namespaces {
		all |= n.flag
	}
	together := tryNamespaces(all)
	try := func(flag uint64) layer.Probe {
		if together == 0 {
			return layer.Probe{State: layer.Have}
		}
		return asking("clone3(2) with a user namespace", tried(tryNamespaces(flag)))
	}
	for _, n := range namespaces {
		probes[n.layer] = try(n.flag)
	}
	probes[layer.CgroupNamespace] = try(unix.CLONE_NEWCGROUP)
}

// tryNamespaces makes some, in a child that ends at once. An ordinary user's comes inside a user
// namespace, as it will in a cell.
func tryNamespaces(flag uint64) unix.Errno {
	program := &Program{}
	loaded, err := program.load(-1)
	if err != nil {
		return unix.EINVAL
	}
	pid, err := loaded.fork(&cloneArgs{Flags: unix.CLONE_NEWUSER | unix.CLONE_CLEAR_SIGHAND | flag, ExitSignal: uint64(unix.SIGCHLD)})
	if err != nil {
		if errno, ok := err.(unix.Errno); ok {
			return errno
		}
		return unix.EINVAL
	}
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
			return 0
		}
	}
}

// knows makes a call with arguments that cannot succeed: any answer but ENOSYS shows that it is there.
func knows(number, a, b, c uintptr) unix.Errno {
	if _, _, errno := unix.RawSyscall(number, a, b, c); errno == unix.ENOSYS {
		return errno
	}
	return 0
}

// mountCalls are those of the private root; mount_setattr(2) is the youngest.
func mountCalls() layer.Probe {
	for _, c := range []struct {
		name   string
		number uintptr
	}{{"open_tree(2)", unix.SYS_OPEN_TREE}, {"move_mount(2)", unix.SYS_MOVE_MOUNT}, {"fsopen(2)", unix.SYS_FSOPEN},
		{"mount_setattr(2)", unix.SYS_MOUNT_SETATTR}} {
		if errno := knows(c.number, ^uintptr(0), 0, ^uintptr(0)); errno != 0 {
			return asking(c.name, tried(errno))
		}
	}
	return layer.Probe{State: layer.Have}
}

func ksmDetail() string {
	if _, err := os.Stat("/sys/kernel/mm/ksm"); err != nil {
		return "this kernel merges no pages"
	}
	return "this kernel merges only what a program offers"
}

// coreScheduling reads this thread's cookie, which changes nothing. The kernel says ENODEV where
// no core has siblings, and EINVAL where it was built without it; sysfs tells of the siblings then.
func coreScheduling() layer.Probe {
	smt, _ := os.ReadFile("/sys/devices/system/cpu/smt/active")
	if strings.TrimSpace(string(smt)) == "0" {
		return layer.Probe{State: layer.Moot, Detail: "no core runs two threads"}
	}
	cookie := new(uint64)
	var pinned runtime.Pinner // on the heap, where it stays
	pinned.Pin(cookie)
	defer pinned.Unpin()
	return mootIf(prctl(unix.PR_SCHED_CORE, unix.PR_SCHED_CORE_GET, 0, unix.PR_SCHED_CORE_SCOPE_THREAD, uintptr(unsafe.Pointer(cookie))),
		unix.ENODEV, "no core runs two threads")
}

func landlockProbe() layer.Probe {
	if abi := landlockABI(); abi > 0 {
		return layer.Probe{State: layer.Have, Detail: landlockDetail(abi)}
	}
	return layer.Probe{State: layer.Lacking, Detail: "not in this kernel, or not among its security modules"}
}

// landlockDetail says which rights are applied where the kernel has an ABI.
func landlockDetail(abi int) string {
	if last := landlockKnown(); abi > last {
		return fmt.Sprintf("ABI %d; the kernel has %d, what later ones than %d brought is not applied", last, abi, last)
	}
	return fmt.Sprintf("ABI %d", abi)
}

func seccompAction(action uint32) unix.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action)))
	return errno
}

func probeIdentity(probes map[layer.ID]layer.Probe, id Identity) {
	p := layer.Probe{State: layer.Have}
	if id.Mapping == jail.ByOwn {
		p = layer.Probe{State: layer.Unprivileged, Detail: "needs root or a range in /etc/subuid and /etc/subgid"}
	}
	probes[layer.OwnUID], probes[layer.NoGroups] = p, p
	// A caller without supplementary groups has none to drop.
	if groups, err := os.Getgroups(); id.Mapping == jail.ByOwn && err == nil && len(groups) == 0 {
		probes[layer.NoGroups] = layer.Probe{State: layer.Moot, Detail: "the caller has none"}
	}
}

// probeCgroups looks for the controllers, and whether the caller is root. Whoever places a cell in
// a delegated group knows better and may overrule this.
func probeCgroups(probes map[layer.ID]layer.Probe) {
	controllers, _ := os.ReadFile("/proc/cgroups")
	for _, c := range []struct {
		id   layer.ID
		name string
	}{{layer.CgroupMemory, "memory"}, {layer.CgroupPids, "pids"}, {layer.CgroupCPU, "cpu"}} {
		switch {
		case !enabled(string(controllers), c.name):
			probes[c.id] = layer.Probe{State: layer.Lacking, Detail: "no such controller"}
		case os.Geteuid() != 0:
			probes[c.id] = layer.Probe{State: layer.Unprivileged, Detail: "needs root or a delegated cgroup"}
		default:
			probes[c.id] = layer.Probe{State: layer.Have}
		}
	}
}

// enabled reads /proc/cgroups: name, hierarchy, number of groups, enabled.
func enabled(table, name string) bool {
	for line := range strings.Lines(table) {
		if f := strings.Fields(line); len(f) == 4 && f[0] == name {
			return f[3] == "1"
		}
	}
	return false
}
