package plan

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/hypervisor"
	"skep/internal/layout"
)

// only refuses what no FreeBSD host can do.
func (b *bsd) only() (wrong []error) {
	c := b.cell
	say := func(path string, err error) { wrong = append(wrong, Located(c, path, err)) }
	refuse := func(path, hint, format string, args ...any) {
		say(path, fault.New(fault.Input, hint, format+" on a FreeBSD host", args...))
	}
	for _, r := range hypervisor.BhyveRefuses(c) {
		wrong = append(wrong, refusal(c, r))
	}
	if b.facts.MaxCPUs > 0 && c.CPUs > b.facts.MaxCPUs {
		say("cpus", fault.New(fault.Input, "lower cpus in the cell file, or raise hw.vmm.maxcpu in loader.conf(5)",
			"give %s %d processors: vmm(4) allows one machine only %d here", c.Name, c.CPUs, b.facts.MaxCPUs))
	}
	if b.loadsReadOnly() && c.Disks[0].File == "" && c.Disks[0].ISO == "" {
		refuse("disk."+c.Disks[0].Label, `boot = "uefi" (-E of vmrun) boots it; or use an image (file = …), of which bhyveload(8) gets a copy`,
			"load a guest from disk %q, which is read-only,", c.Disks[0].Label)
	}
	if len(c.NICs) > maxTaps {
		refuse("", "", "give a guest more than %d network cards", maxTaps)
	}
	for _, d := range c.Disks {
		if d.Device != "" && !d.ReadOnly {
			refuse("disk."+d.Label, "a ZFS volume (zvol = …) or an image (file = …) can be written to; or read_only = true",
				"write to the disk %s: a jail of securelevel 3 may not, whoever asks; disk %q", d.Device, d.Label)
		}
	}
	return wrong
}

// loadsReadOnly says whether bhyveload is to boot a disk that may not be written to, such as an installer's
// ISO. It opens each for writing: open(path, O_RDWR) in usr.sbin/bhyveload/bhyveload.c.
func (b *bsd) loadsReadOnly() bool {
	c := b.cell
	return c.Boot.Kind == cell.BootLoader && len(c.Disks) > 0 && DiskOf(c.Disks[0], LayersOf(b.host, c.Name)).ReadOnly
}

// addresses refuses a jail's address that the host has not got: the jail would
// be made, and nothing in it could be reached.
func (b *bsd) addresses() (wrong []error) {
	for i, a := range slices.Concat(b.cell.Jail.IP4, b.cell.Jail.IP6) {
		path := "jail.ip4"
		if i >= len(b.cell.Jail.IP4) {
			path = "jail.ip6"
		}
		ip, _, _ := strings.Cut(a, "/")
		want, err := netip.ParseAddr(ip)
		if err != nil {
			wrong = append(wrong, Located(b.cell, path, fault.Wrap(fault.Input, err, "", "give the jail the address %s", a)))
			continue
		}
		has := slices.ContainsFunc(b.facts.Addresses, func(s string) bool {
			have, err := netip.ParseAddr(s)
			return err == nil && have.WithZone("") == want
		})
		if !has {
			wrong = append(wrong, Located(b.cell, path, fault.New(fault.Input, "ifconfig shows the addresses there are; ifconfig IF alias "+a+" adds it",
				"give the jail the address %s: this host does not have it", ip)))
		}
	}
	return wrong
}

// paths refuses a rootfs whose mounts have longer paths than tools take.
func (b *bsd) paths() error {
	if p := filepath.Join(b.root, layout.Dev); len(p) > maxMountPath {
		return fault.New(fault.Input, "set SKEP_RUN_DIR or --run-dir to a shorter directory",
			"mount the rootfs on %s: the path has %d characters, and may have at most %d", p, len(p), maxMountPath)
	}
	return nil
}

// place refuses to go on with more devices than the bus has places for, and
// with network cards where the slot's taps would have no number.
func (b *bsd) place() error {
	if len(b.cell.NICs) > 0 && tapNumber(b.plan.Slot, maxTaps-1) > maxTapUnit {
		return fault.New(fault.Host, "stop a cell, or lower SKEP_UID_COUNT", "name a tap for slot %d: interface numbers end at %d", b.plan.Slot, maxTapUnit)
	}
	return nil
}

// The numbers of taps. A renamed tap keeps the device node of its old name, so
// a tap of ours is told by its number: 16 to a slot, above those that people
// give out by hand. IF_MAXUNIT of sys/net/if.h is the end.
const (
	firstTap   = 1000
	maxTaps    = 16
	maxTapUnit = 0x7fff
)

func tapNumber(slot, n int) int { return firstTap + maxTaps*slot + n }
