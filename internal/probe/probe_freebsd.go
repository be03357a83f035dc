package probe

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"skep/internal/devfs"
	"skep/internal/host"

	"golang.org/x/net/route"
	"golang.org/x/sys/unix"
)

// probeTools fills in what the jail of a tool needs.
func probeTools(o Options, f *host.Facts) {
	f.OS = "freebsd"
	f.Dirs, _, _ = o.settle(systemDirs, f.EUID)
	f.FreeBSD = &host.FreeBSD{Jailed: sysctlInt("security.jail.jailed") != 0}
}

// probe fills in the facts of a FreeBSD or HardenedBSD host.
func probe(_ context.Context, o Options, f *host.Facts) error {
	f.OS = "freebsd"
	f.Kernel, _ = unix.Sysctl("kern.osrelease")
	f.Dirs, _, _ = o.settle(systemDirs, f.EUID)
	uuid, _ := unix.Sysctl("kern.hostuuid")
	f.Identity = host.IdentityOf(uuid)
	f.Memory = sysctlInt("hw.physmem")
	f.Bridges = bridges()
	f.Slots.RulesetBase = host.DefaultRulesetBase
	a := accountFiles{passwd: text("/etc/passwd"), group: text("/etc/group")}
	f.Slots.Clash = a.clash(f.Slots)

	b := &host.FreeBSD{
		Release:     f.Kernel,
		HardenedBSD: sysctlExists("hardening.version") || sysctlExists("hardening.pax"),
		// The parameter itself is what counts: jail_set(2) refuses allow.vmm as
		// long as this node is not there.
		VMM:       sysctlExists("security.jail.param.allow.vmm"),
		CPU:       virtualisation(text("/var/run/dmesg.boot")),
		NMDM:      module("nmdm"),
		TunTap:    module("if_tuntap"),
		VmmCtl:    exists("/dev/vmmctl"),
		MaxCPUs:   int(sysctlInt("hw.vmm.maxcpu")),
		Jailed:    sysctlInt("security.jail.jailed") != 0,
		ZFS:       module("zfsctrl") || exists("/dev/zfs"),
		Racct:     sysctlInt("kern.racct.enable") != 0,
		GDBFiles:  exists("/usr/share/bhyve/gdb"),
		RuleDepth: int(sysctlInt(devfs.DepthSetting)),
		Firmware:  firmwareFiles(),
		Rulesets:  rulesets(),
		Addresses: addresses(),
	}
	// A loaded vmm.ko has looked at the processor and knows better than the
	// boot messages, which a long-running host may have lost.
	switch {
	case sysctlInt("hw.vmm.vmx.initialized") != 0:
		b.CPU = "vmx"
	case sysctlInt("hw.vmm.svm.num_asids") != 0:
		b.CPU = "svm"
	}
	for _, g := range parseAccounts(a.group) {
		if g.name == "vmm" {
			b.VmmGroup = g.id
		}
	}
	findBhyve(o.cache(f.Dirs), b)
	f.FreeBSD = b
	return nil
}

// sysctlExists says whether there is a node of that name, readable or not.
func sysctlExists(name string) bool {
	_, err := unix.SysctlRaw(name)
	return err != unix.ENOENT
}

// sysctlInt reads an integer of any width: bool, int, unsigned long. 0 when
// there is none.
func sysctlInt(name string) int64 {
	b, err := unix.SysctlRaw(name)
	if err != nil || len(b) > 8 {
		return 0
	}
	var wide [8]byte
	copy(wide[:], b) // every FreeBSD that has bhyve is little-endian
	return int64(binary.LittleEndian.Uint64(wide[:]))
}

// module says whether a kernel module is there, loaded or compiled in, for
// which kldfind(2) is no answer.
func module(name string) bool {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return false
	}
	_, _, errno := unix.Syscall(unix.SYS_MODFIND, uintptr(unsafe.Pointer(p)), 0, 0)
	return errno == 0
}

func exists(path string) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil
}

// text is a small file of the system, "" when it cannot be read.
func text(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(b)
}

// devfsNextSet is DEVFSIO_SGETNEXT, _IOWR('D', 12, uint16): the next ruleset
// number above the one given.
const devfsNextSet = 0xC0000000 | 2<<16 | 'D'<<8 | 12

// rulesets are the numbers that a cell must not take: those the kernel knows,
// which only root may ask for, and those that devfs.rules(5) will load some
// day.
func rulesets() []int {
	used := ruleNumbers(text("/etc/defaults/devfs.rules") + "\n" + text("/etc/devfs.rules"))
	if fd, err := unix.Open("/dev", unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
		defer unix.Close(fd)
		// 16 bits of numbers bound the loop even if the kernel went back.
		for n, i := uint16(0), 0; i < 1<<16; i++ {
			before := n
			_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), devfsNextSet, uintptr(unsafe.Pointer(&n)))
			if errno != 0 || n <= before {
				break
			}
			used = append(used, int(n))
		}
	}
	slices.Sort(used)
	return slices.Compact(used)
}

// ifTypeBridge is IFT_BRIDGE of <net/if_types.h>.
const ifTypeBridge = 0xd1

// bridges lists interfaces by their type; names prove nothing, since an
// interface can have any.
func bridges() []string {
	rib, err := route.FetchRIB(syscall.AF_UNSPEC, route.RIBTypeInterface, 0)
	if err != nil {
		return nil
	}
	var out []string
	for _, index := range interfacesOfType(rib, ifTypeBridge) {
		if i, err := net.InterfaceByIndex(index); err == nil {
			out = append(out, i.Name)
		}
	}
	slices.Sort(out)
	return out
}

// addresses are those that a screen can listen on.
func addresses() []string {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []string
	for _, a := range list {
		ip, _, _ := strings.Cut(a.String(), "/")
		out = append(out, ip)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
