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
	d.around(f)
	d.qemu(f)
	d.kvm(f)
	if o := l.OVMF; o != nil {
		d.add(OK, "uefi", fmt.Sprintf("%s (from %s)", o.Code, orElse(o.By, "a known path")), `boot = "uefi" works`, "")
	} else {
		d.add(Warn, "uefi", "no OVMF", `boot = "uefi" does not work; hello, kernel blocks and firmware files do`, f.Install("ovmf"))
	}
	if o := l.OVMFSecure; o != nil {
		d.add(OK, "secure-boot", o.Code, "secure_boot = true works", "")
	}
	if l.SWTPM != "" {
		d.add(OK, "tpm", l.SWTPM, "a tpm block works", "")
	}
	d.who(f)
	d.cgroup(l.Cgroup, f.EUID)
	d.tap(f)
	d.layers(f)
}

// around adds what this process was started in, where that stands in the way.
func (d *report) around(f Facts) {
	if why, fix := f.standsInTheWay(); why != "" {
		d.add(Fail, "surroundings", why, "no cell can run", fix)
	}
	if f.Linux.Around.InitialRoot {
		d.add(OK, "surroundings", "the root is the one that the kernel was unpacked into", "an empty root covers it in a cell", "")
	}
	c := cell.Hello()
	if why, fix := shortLimit(f, c.Jail.Limits.Processes, c.Jail.Limits.OpenFiles); why != "" {
		d.add(Fail, "limits", why, "no cell can run", fix)
	}
	if have, limited := f.Linux.Around.Limits["fsize"]; limited && have >= smallFile {
		d.add(Warn, "limits", fmt.Sprintf("only %d bytes can be in a file (ulimit -f)", have), "no disk can grow beyond that", "ulimit -f unlimited")
	}
}

// qemu adds the hypervisor: that it is there is one thing, that the built-in
// guest ran in a cell another.
func (d *report) qemu(f Facts) {
	l := f.Linux
	defer d.qemuTried(l)
	q := l.QEMU
	if q == nil {
		d.add(Fail, "qemu", l.QEMUReason(), "no cell can run", f.FixQEMU())
		return
	}
	found := fmt.Sprintf("%s, version %s, %d files and libraries", q.Path, q.Version, len(q.Files))
	switch t := l.TCG; {
	case t == nil:
		d.add(OK, "qemu", found, "it was not started", "")
	case t.Works:
		d.add(OK, "qemu", found, "the built-in guest ran in it, emulated", "")
	case l.KVM.Works:
		d.add(Warn, "qemu", found+"; emulated, the built-in guest did not run: "+t.Why, "cells run under KVM only", t.Hint)
	default:
		d.add(Fail, "qemu", found+"; the built-in guest did not run: "+t.Why, "no cell runs", t.Hint)
	}
}

func (d *report) kvm(f Facts) {
	k := f.Linux.KVM
	if t := f.Linux.TCG; t != nil && !t.Works && k.Tried && !k.Works {
		d.add(Warn, "kvm", "no cell runs here, so nothing is known of it", "", "")
		return
	}
	if no, fix := kvmObstacle(f); no != "" {
		d.add(Warn, "kvm", no, "guests are emulated (TCG), and slower", fix)
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
			"rm "+f.Dirs.State+"/cache/"+RefusedMemory+" tries them again")
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
			"an ordinary user's cells cannot be jailed", userNSFix(l))
	case l.userNSForbidden(f.EUID):
		d.add(Fail, "user namespaces", l.UserNSOff, "no cell can be jailed", userNSFix(l))
	default:
		d.add(OK, "user namespaces", "can be made", "what a cell's root may do, it may do in its own room only", "")
	}
	id := ChooseIdentity(f, 0)
	last := ChooseIdentity(f, max(0, f.Slots.Count-1))
	if id.Mapping == MappingOwn {
		d.add(Warn, "identity", fmt.Sprintf("uid %d has no subordinate numbers, or newuidmap is missing", f.EUID),
			"all cells have your own uid and groups, and share them with your other processes",
			f.Install("uidmap")+fmt.Sprintf("; usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %d", f.EUID))
		return
	}
	d.add(OK, "identity", fmt.Sprintf("uids %d-%d are the cells' (%s)", id.UID, last.UID, id.Mapping), "each cell has one of its own", "")
}

func (d *report) cgroup(g Cgroup, euid int) {
	var missing []string
	for _, c := range Controllers {
		if !slices.Contains(g.Controllers, c) {
			missing = append(missing, c)
		}
	}
	if len(missing) == 0 {
		d.add(OK, "cgroups", fmt.Sprintf("%s, with %s", g.Mode, strings.Join(g.Controllers, ", ")), "limits hold from the first instruction", "")
		return
	}
	fix := CgroupFix(g, euid)
	d.add(Warn, "cgroups", fmt.Sprintf("%s, without %s: %s", g.Mode, strings.Join(missing, ", "), orElse(g.Why, "they are not there")),
		"these limits are not set; rlimits are", fix)
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
	d.missing(f, decisions)
}

// missing adds one row for all layers that are missing for one reason, and one
// for each that is substituted or not allowed.
func (d *report) missing(f Facts, decisions []layer.Decision) {
	type reason struct{ why, fix string }
	var reasons []reason
	of := map[reason][]layer.ID{}
	for _, x := range decisions {
		row, _ := layer.Find(x.ID)
		name := "layer " + string(x.ID)
		switch x.Verdict {
		case layer.Substituted:
			d.add(Warn, name, orElse(x.Detail, "not there"), "substituted by "+string(x.By), f.kernelFix(row))
		case layer.Missing:
			var r reason
			r.why, r.fix = f.whyMissing(x.ID)
			if of[r] == nil {
				reasons = append(reasons, r)
			}
			of[r] = append(of[r], x.ID)
		case layer.NotPrivileged:
			d.add(Warn, name, orElse(x.Detail, "not allowed"), "cells of this user go without: "+row.Does, "needs "+orElse(row.Privilege, "root"))
		}
	}
	for _, r := range reasons {
		row, _ := layer.Find(of[r][0])
		topic, without := "layer "+string(of[r][0]), "without it not: "+row.Does
		fact := r.why
		if len(of[r]) > 1 {
			var names []string
			for _, id := range of[r] {
				names = append(names, string(id))
			}
			topic, without = "layers", "without them there is no jail"
			fact = strings.Join(names, ", ") + ": " + r.why
		}
		d.add(Fail, topic, fact, without, r.fix)
	}
}
