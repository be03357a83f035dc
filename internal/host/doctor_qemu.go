package host

import (
	"fmt"
	"slices"
	"strings"

	"skep/internal/cell"
	"skep/internal/layer"
)

// linux adds the rows of a Linux host.
func (d *report) linux(f Facts) {
	l := f.Linux
	if q := l.QEMU; q != nil {
		d.add(OK, "qemu", fmt.Sprintf("%s, version %s, %d files and libraries", q.Path, q.Version, len(q.Files)), "cells run", "")
	} else {
		d.add(Fail, "qemu", l.QEMUReason(), "no cell can run", f.mendQEMU())
	}
	d.qemuTried(l)
	d.kvm(f)
	if o := l.OVMF; o != nil {
		d.add(OK, "uefi", fmt.Sprintf("%s (from %s)", o.Code, orElse(o.By, "a known path")), `boot = "uefi" works`, "")
	} else {
		d.add(Warn, "uefi", "no OVMF", `boot = "uefi" does not work; hello, kernel blocks and firmware files do`, f.install("ovmf"))
	}
	d.who(f)
	d.cgroup(l.Cgroup, f.EUID)
	d.tap(f)
	d.layers(f)
}

func (d *report) kvm(f Facts) {
	k := f.Linux.KVM
	if no, mend := kvmObstacle(f); no != "" {
		d.add(Warn, "kvm", no, "guests are emulated (TCG), and slower", mend)
		return
	}
	if !k.Tried {
		d.add(OK, "kvm", "/dev/kvm opens and was not tried yet", "the first cell tries it with the built-in guest", "")
		return
	}
	fact := "the built-in guest ran under it"
	if k.CPU != "" {
		fact += ", with processor model " + k.CPU
	}
	d.add(OK, "kvm", fact, "guests run on it", "")
	if n := len(k.Refused); n > 0 {
		d.add(Warn, "kvm", fmt.Sprintf("it failed on %d firmwares or kernels", n), "those guests are emulated (TCG), and slower",
			"rm "+f.Dirs.State+"/cache/"+refusedMemory+" tries them again")
	}
}

func (d *report) tap(f Facts) {
	switch {
	case f.EUID != 0:
		d.add(Warn, "tap", "making a tap is root's", `nics need nic { tap = "…" } with one that is yours; all else works`, fmt.Sprintf("ip tuntap add dev tap0 mode tap user %d (as root)", f.EUID))
	case f.Linux.TunTap:
		d.add(OK, "tap", "/dev/net/tun opens", "nics work", "")
	default:
		d.add(Warn, "tap", "/dev/net/tun does not open", "cells have no nics; all else works", "modprobe tun")
	}
}

// who adds what identities cells have, and whether the caller may make user
// namespaces at all.
func (d *report) who(f Facts) {
	l := f.Linux
	switch {
	case l.userNSForbidden(f.EUID) && f.EUID != 0:
		d.add(Fail, "user namespaces", orElse(l.UserNSOff, "kernel.apparmor_restrict_unprivileged_userns=1"),
			"an ordinary user's cells cannot be jailed", userNSMend(l))
	case l.userNSForbidden(f.EUID):
		d.add(Fail, "user namespaces", l.UserNSOff, "no cell can be jailed", userNSMend(l))
	default:
		d.add(OK, "user namespaces", "can be made", "what a cell's root may do, it may do in its own room only", "")
	}
	id := ChooseIdentity(f, 0)
	last := ChooseIdentity(f, max(0, f.Slots.Count-1))
	if id.Mapping == MappingOwn {
		d.add(Warn, "identity", fmt.Sprintf("uid %d has no subordinate numbers, or newuidmap is missing", f.EUID),
			"all cells have your own uid and groups, and share them with your other processes",
			f.install("uidmap")+fmt.Sprintf("; usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %d", f.EUID))
		return
	}
	d.add(OK, "identity", fmt.Sprintf("uids %d-%d are the cells' (%s)", id.UID, last.UID, id.Mapping), "each cell has one of its own", "")
}

func (d *report) cgroup(g Cgroup, euid int) {
	var missing []string
	for _, c := range controllers {
		if !slices.Contains(g.Controllers, c) {
			missing = append(missing, c)
		}
	}
	if len(missing) == 0 {
		d.add(OK, "cgroups", fmt.Sprintf("%s, with %s", g.Mode, strings.Join(g.Controllers, ", ")), "limits hold from the first instruction", "")
		return
	}
	mend := "mount a cgroup v2 tree on /sys/fs/cgroup"
	if euid != 0 {
		mend = "systemd-run --user --scope -p Delegate=yes skep …"
	}
	d.add(Warn, "cgroups", fmt.Sprintf("%s, without %s: %s", g.Mode, strings.Join(missing, ", "), orElse(g.Why, "they are not there")),
		"these limits are not set; rlimits are", mend)
}

// layers adds one row for the layers that are there and one for each that is
// not.
func (d *report) layers(f Facts) {
	// A cell with every limit, so that nothing counts as not asked for.
	c := &cell.Cell{Name: "any"}
	c.Jail.Limits.CPU = 100
	decisions, err := ChooseLayers(c, f)
	applied := 0
	for _, x := range decisions {
		if x.Verdict == layer.Applied || x.Verdict == layer.NothingToApply {
			applied++
		}
	}
	s, so := OK, "every cell has them"
	if err != nil {
		s, so = Fail, "cells start only if the cell file allows the missing ones by name"
	}
	d.add(s, "layers", fmt.Sprintf("%d of %d layers of the jail can be had", applied, len(decisions)), so, "")
	for _, x := range decisions {
		row, _ := layer.Find(x.ID)
		name := "layer " + string(x.ID)
		switch x.Verdict {
		case layer.Substituted:
			d.add(Warn, name, orElse(x.Detail, "not there"), "substituted by "+string(x.By), "Linux "+row.Kernel+" has it")
		case layer.Missing:
			d.add(Fail, name, orElse(x.Detail, "not there"), "without it not: "+row.Does, "Linux "+row.Kernel+" has it, unless it is configured away")
		case layer.NotPrivileged:
			d.add(Warn, name, orElse(x.Detail, "not allowed"), "cells of this user go without: "+row.Does, "needs "+orElse(row.Privilege, "root"))
		}
	}
}
