package host

import (
	"skep/internal/cell"
	"skep/internal/fault"
)

// Ready says whether this host can run the cell at all: the first thing that
// is missing, with the command that fixes it. Layers of the jail and the
// accelerator are decided elsewhere; their absence may be allowed.
func Ready(c *cell.Cell, f Facts) error {
	switch {
	case f.Linux != nil:
		return readyLinux(c, f)
	case f.FreeBSD != nil:
		return readyFreeBSD(c, f)
	}
	return fault.New(fault.Host, "", "start %s on %s", c.Name, f.OS)
}

func readyLinux(c *cell.Cell, f Facts) error {
	l := f.Linux
	if l.QEMU == nil {
		return fault.Cannot(fault.Host, f.FixQEMU(), "start", c.Name, "no QEMU for x86-64 (%s)", l.QEMUReason())
	}
	if why, fix := f.standsInTheWay(); why != "" {
		return fault.Cannot(fault.Jail, fix, "start", c.Name, "%s", why)
	}
	if why, fix := shortLimit(f, c.Jail.Limits.Processes, c.Jail.Limits.OpenFiles); why != "" {
		return fault.Cannot(fault.Host, fix, "start", c.Name, "%s", why)
	}
	if err := LacksFirmware(c, f); err != nil {
		return err
	}
	if err := LacksTPM(c, f); err != nil {
		return err
	}
	if f.EUID != 0 && l.userNSForbidden(f.EUID) {
		return fault.Cannot(fault.Host, userNSFix(l), "start", c.Name, "ordinary users cannot create user namespaces on this host")
	}
	return nil
}

func readyFreeBSD(c *cell.Cell, f Facts) error {
	b := f.FreeBSD
	switch {
	case b.Bhyve == nil:
		return fault.New(fault.Host, "install the base system's bhyve (pkg install FreeBSD-bhyve on a packaged base)",
			"start %s: no bhyve (%s)", c.Name, orElse(b.BhyveWhy, "/usr/sbin/bhyve is not there"))
	case !b.VMM && b.CPU == "":
		return fault.New(fault.Host, "enable VT-x or AMD-V in the firmware setup; on a virtual machine, nested virtualisation",
			"start %s: this processor shows neither VT-x nor AMD-V", c.Name)
	case !b.VMM && b.Jailed:
		return fault.New(fault.Host, "on the host: kldload vmm, then give this jail allow.vmm", "start %s: this jail has no access to vmm", c.Name)
	case !b.VMM:
		return fault.Cannot(fault.Host, "kldload vmm (and vmm_load=\"YES\" in /boot/loader.conf)", "start", c.Name, "vmm.ko is not loaded")
	case b.Jailed:
		return fault.New(fault.Host, "run skep on the host, or give this jail children.max, allow.vmm, allow.mount.tmpfs and devfs rules",
			"start %s: skep itself runs in a jail here", c.Name)
	case f.EUID != 0:
		return fault.Cannot(fault.Host, "run skep as root", "start", c.Name, "only root can create jails")
	}
	if err := LacksFirmware(c, f); err != nil {
		return err
	}
	if c.Boot.Kind == cell.BootLoader && len(b.Bhyve.Loader) == 0 {
		return fault.Cannot(fault.Host, "", "start", c.Name, "there is no bhyveload on this host")
	}
	return nil
}

// userNSForbidden says whether an ordinary user's namespaces are of no use.
func (l *Linux) userNSForbidden(euid int) bool {
	return l.UserNSOff != "" || euid != 0 && l.UserNSRestricted
}

func userNSFix(l *Linux) string {
	switch {
	case l.UserNSRestricted:
		return "Ubuntu's AppArmor policy takes the capabilities of unprivileged user namespaces away: run skep as root, install its AppArmor profile, or sysctl kernel.apparmor_restrict_unprivileged_userns=0"
	case l.UserNSOff == "user.max_user_namespaces=0":
		return "sysctl user.max_user_namespaces=10000"
	case l.UserNSOff != "":
		return "run skep as root, or sysctl kernel.unprivileged_userns_clone=1"
	}
	return ""
}

// Packages are the names of what we need where they differ. The first column
// is the command.
var Packages = map[string]map[string]string{
	"debian":  {"": "apt install ", "qemu": "qemu-system-x86", "ovmf": "ovmf", "uidmap": "uidmap", "swtpm": "swtpm", "qemu-img": "qemu-utils"},
	"fedora":  {"": "dnf install ", "qemu": "qemu-system-x86-core", "ovmf": "edk2-ovmf", "uidmap": "shadow-utils", "swtpm": "swtpm", "qemu-img": "qemu-img"},
	"arch":    {"": "pacman -S ", "qemu": "qemu-system-x86", "ovmf": "edk2-ovmf", "uidmap": "shadow", "swtpm": "swtpm", "qemu-img": "qemu-img"},
	"suse":    {"": "zypper install ", "qemu": "qemu-x86", "ovmf": "qemu-ovmf-x86_64", "uidmap": "shadow", "swtpm": "swtpm", "qemu-img": "qemu-tools"},
	"alpine":  {"": "apk add ", "qemu": "qemu-system-x86_64", "ovmf": "ovmf", "uidmap": "shadow-uidmap", "swtpm": "swtpm", "qemu-img": "qemu-img"},
	"freebsd": {"": "pkg install ", "ovmf": "edk2-bhyve", "qemu-img": "qemu-tools"},
}

// Install is the command that installs a thing on this host, or says what to
// look for where we do not know its Packages.
func (f Facts) Install(what string) string {
	family := f.Distro
	if f.OS == "freebsd" {
		family = "freebsd"
	}
	p := Packages[family]
	if p == nil {
		p = Packages["debian"]
	}
	if p[what] == "" {
		return ""
	}
	return p[""] + p[what]
}

// reinstalls are the commands that put a package's files back.
var reinstalls = map[string]string{
	"debian": "apt install --reinstall ", "fedora": "dnf reinstall ", "arch": "pacman -S ",
	"suse": "zypper install --force ", "alpine": "apk fix ",
}

func (f Facts) reinstallCommand() string { return orElse(reinstalls[f.Distro], reinstalls["debian"]) }

// reinstall is the command that puts back the files of one of Packages.
func (f Facts) reinstall(what string) string {
	p := Packages[f.Distro]
	if p == nil {
		p = Packages["debian"]
	}
	return f.reinstallCommand() + p[what]
}
