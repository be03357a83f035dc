package attack

import (
	"golang.org/x/sys/unix"

	"skep/internal/drill/bait"
	"skep/internal/plan"
)

// deviceAttempts reach for devices. A node that is there and refuses (EBUSY, EPERM) does not count as
// hidden only where the open succeeds: all are opened for reading, and closed again.
var deviceAttempts = []Attempt{
	device("mem", "read the host's memory (/dev/mem)"),
	device("kmem", "read the kernel's memory (/dev/kmem)"),
	device("io", "get at the I/O ports (/dev/io)"),
	device("pci", "look at the PCI devices (/dev/pci)"),
	device("klog", "read the kernel's messages (/dev/klog)"),
	device("devctl", "hear of the host's devices (/dev/devctl)"),
	device("vtbd0", "read the host's disk (/dev/vtbd0)"),
	device("ada0", "read the host's other disk (/dev/ada0)"),
	device("bpf", "listen to the network (/dev/bpf)"),
	device("tap", "make a network card (/dev/tap)"),
	device("pf", "change the packet filter (/dev/pf)"),
	device("zero", "open a device that every program has (/dev/zero)"),
	{ID: "dev-" + bait.PairName, Tries: "make a terminal pair of its own (/dev/nmdm0A)",
		By: "private-root devfs-rules capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: open("/dev/"+bait.PairName, unix.O_RDONLY|unix.O_NONBLOCK)},
	device("cuse", "make a device of its own (/dev/cuse)"),
	{ID: "other-vmm", Tries: "open a neighbour's VM by name",
		By: "devfs-rules jail capsicum", Want: "ENOENT | ECAPMODE", Start: true, Needs: needNeighbour,
		Do: open(late(func(s *Fixture) any { return "/dev/vmm/" + neighbourVM(s) }), unix.O_RDWR)},
	{ID: "other-vmm-memory", Tries: "open a neighbour's guest memory by name",
		By: "devfs-rules capsicum", Want: "ENOENT | ECAPMODE", Start: true, Needs: needNeighbour,
		Do: open(late(func(s *Fixture) any { return "/dev/vmm.io/" + neighbourVM(s) + ".bootrom" }), unix.O_RDWR)},
	{ID: "other-console", Tries: "open a neighbour's console by name",
		By: "devfs-rules jail capsicum", Want: "ENOENT | ECAPMODE", Start: true, Needs: needNeighbour,
		Do: open(late(func(s *Fixture) any { return "/dev/nmdm-" + s.Neighbour.Name + "A" }), unix.O_RDWR|unix.O_NONBLOCK)},
	{ID: "mknod", Tries: "make a node of the null device in the root",
		By: "private-root jail capsicum", Want: "EROFS | EPERM | ECAPMODE", Start: true, Do: made(try(unix.SYS_MKNODAT, atCWD, madeInRoot, unix.S_IFCHR|0o600, 0), 0)},
	{ID: "mknod-dev", Tries: "make a hidden node visible again in /dev",
		By: "jail no-suser capsicum", Want: "EPERM | EOPNOTSUPP | ECAPMODE", Start: true, Do: try(unix.SYS_MKNODAT, atCWD, "/dev/null", unix.S_IFCHR|0o600, 0)},
	{ID: "pty", Tries: "open a terminal pair (posix_openpt)",
		By: "capsicum", Want: "ECAPMODE", Single: "a jail may have terminals; what it gets is its own", Do: try(unix.SYS_POSIX_OPENPT, unix.O_RDWR).opening()},
}

// device opens a node by its name.
func device(name, tries string) Attempt {
	return Attempt{ID: "dev-" + name, Tries: tries, By: "devfs-rules capsicum", Want: "ENOENT | ECAPMODE", Start: true,
		Do: open("/dev/"+name, unix.O_RDONLY|unix.O_NONBLOCK)}
}

func needNeighbour(s *Fixture) (string, bool) { return "there is no neighbour", s.Neighbour != nil }

func neighbourPID(s *Fixture) any { return s.Neighbour.PID }

// neighbourVM is the name of its VM, as its journal has it.
func neighbourVM(s *Fixture) string {
	for _, v := range plan.Specs[*plan.VM](&plan.Plan{Resources: s.Neighbour.Plan}) {
		return v.Name
	}
	return s.Neighbour.Name
}
