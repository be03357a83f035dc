package attack

import "golang.org/x/sys/unix"

// vmmAttempts go beyond the one VM, and beyond the requests that bhyve keeps on its descriptors. What
// it keeps on the VM's (VM_RUN, VM_ALLOC_MEMSEG and so on) it can use: that is its work.
var vmmAttempts = []Attempt{
	{ID: "new-vm", Tries: "make another VM", By: "no-suser capsicum", Want: "EPERM", Do: code(func(s *Fixture) Outcome {
		o := vmm(s, "hw.vmm.create", "skep-drill-2")
		if !o.Stopped {
			vmm(s, "hw.vmm.destroy", "skep-drill-2")
		}
		return o
	})},
	{ID: "vmmctl", Tries: "make another VM by the node for that, where the kernel has one", By: "devfs-rules capsicum",
		Want: "ENOENT | ENOTTY | ECAPMODE", NoControl: "up to FreeBSD 14 no kernel has it", Start: true, Do: code(byControl)},
	{ID: "destroy-other", Tries: "destroy a neighbour's VM", By: "jail no-suser capsicum", Want: "EINVAL | EPERM", Start: true, Needs: needNeighbour,
		Do: code(func(s *Fixture) Outcome { return vmm(s, "hw.vmm.destroy", neighbourVM(s)) })},
	{ID: "destroy-own", Tries: "destroy its own VM behind the keeper's back", By: "no-suser capsicum", Want: "EPERM", Needs: needVM,
		Do: code(func(s *Fixture) Outcome { return vmm(s, "hw.vmm.destroy", (&preparing{Fixture: s}).vm()) }), Fresh: true},
	{ID: "vm-snapshot", Tries: "take a snapshot of the VM", By: "capsicum", Want: "ENOTCAPABLE", Needs: needVM, Single: singleNode,
		Do: try(unix.SYS_IOCTL, late(ownVMM), uint64(0xc0787600|113), space(256)).pastGate(unix.ENOTTY)},
	{ID: "vm-unknown", Tries: "make a request of the VM that bhyve has no use for", By: "capsicum", Want: "ENOTCAPABLE", Needs: needVM, Single: singleNode,
		Do: try(unix.SYS_IOCTL, late(ownVMM), uint64(0x200076ff), 0).pastGate(unix.ENOTTY)},
	{ID: "vm-read", Tries: "read the VM's memory through its node", By: "capsicum", Want: "ENOTCAPABLE | EINVAL", Needs: needVM, Single: singleNode,
		Do: try(unix.SYS_FSTAT, late(ownVMM), space(512))},
	{ID: "vm-more-rights", Tries: "take back rights on the VM's descriptor", By: "capsicum", Want: "ENOTCAPABLE", Needs: needVM, Single: singleNode,
		Do: try(unix.SYS_CAP_RIGHTS_LIMIT, late(ownVMM), words(1<<57|capFstat|capMmapRW, 1<<58|capIoctl|capEvent))},
	{ID: "vm-more-requests", Tries: "take back requests on it", By: "capsicum", Want: "ENOTCAPABLE", Needs: needVM, Single: singleNode,
		Do: try(unix.SYS_CAP_IOCTLS_LIMIT, late(ownVMM), words(0x200076ff), 1)},
	{ID: "type", Tries: "type into the terminal at the other end (TIOCSTI)", By: "jail capsicum", Want: "ENOTCAPABLE", Needs: needVM,
		Do: try(unix.SYS_IOCTL, late(func(s *Fixture) any { return s.own.console }), uint64(0x80017472), "x")},
	{ID: "console-stat", Tries: "look at the console's node", By: "capsicum", Want: "ENOTCAPABLE", Needs: needVM, Single: singleNode,
		Do: try(unix.SYS_FSTAT, late(func(s *Fixture) any { return s.own.console }), space(512))},
}

// Requests of vmmctl, sys/dev/vmm/vmm_dev.h: a name, and words that are zero.
const (
	vmmctlCreate  uint64 = 0xC1285600
	vmmctlDestroy uint64 = 0xC1285601
	vmmctlSize           = 296
)

// byControl opens what goes by the name of vmmctl, and asks it.
func byControl(s *Fixture) Outcome {
	r := s.call(unix.SYS_OPENAT, atCWD, "/dev/vmmctl", unix.O_RDWR, 0)
	if o, failed := r.failed(); failed {
		return o
	}
	request := append([]byte("skep-drill-2"), make([]byte, vmmctlSize-len("skep-drill-2"))...)
	o := attempt{}.judge(s.call(unix.SYS_IOCTL, r.value, vmmctlCreate, request))
	if !o.Stopped {
		s.call(unix.SYS_IOCTL, r.value, vmmctlDestroy, request)
	}
	s.call(unix.SYS_CLOSE, r.value)
	return o
}

// needVM: a worker has no VM and not bhyve's end of the console.
func needVM(s *Fixture) (string, bool) { return "a worker has nothing of the kind", s.Keeper == nil }

func ownVMM(s *Fixture) any { return s.own.vmm }

func vmm(s *Fixture, what, name string) Outcome { return setting(what, append([]byte(name), 0)).do(s) }
