package vmrun

// flag is a row of the table.
type flag struct {
	letter byte
	value  string // what its value is called, "" for none
	help   string
	take   func(r *request, value string) error
}

// flags are those of vmrun.sh in FreeBSD 13 to 15, and at the end HardenedBSD's
// own two.
var flags = []flag{
	{'h', "", "this help", nil},
	{'a', "", "memory mapped local APIC access", extra("-a")},
	{'A', "", "AHCI disks instead of virtio", func(r *request, _ string) error { r.ahci = true; return nil }},
	{'c', "CPUS", "number of virtual cpus (default 2)", takeCPUs},
	{'C', "CONSOLE", "console device: stdio or the guest's end of a null modem, /dev/nmdm…A", takeConsole},
	{'d', "DISK", "disk: a file, made with 8G if it is missing, or /dev/zvol/…; with \",ro\" read-only (default ./diskdev)", takeDisk},
	{'e', "NAME=VALUE", "variable for FreeBSD's loader", takeEnv},
	{'E', "", "UEFI mode", func(r *request, _ string) error { r.uefi = true; return nil }},
	{'f', "FIRMWARE", "UEFI firmware file, with -E", takeFirmware},
	{'F', "SIZE", "size of the screen, with -E (default w=1024,h=768)", takeSize},
	{'G', "[w][ADDR:]PORT", "debug stub for gdb; with w the guest waits for it", takeGDB},
	{'H', "DIRECTORY", "directory of the host for the loader", takeHostBase},
	{'i', "", "boot the installation image whatever is on the disk", func(r *request, _ string) error { r.force = true; return nil }},
	{'I', "ISO", "installation image (default ./release.iso)", func(r *request, v string) error { r.iso = v; return nil }},
	{'l', "LOADER", "userboot to load with (default /boot/userboot.so)", func(r *request, v string) error { r.loader = r.absolute(v); return nil }},
	{'L', "ADDR", "address of the screen's VNC server, with -E (default 127.0.0.1)", takeHost},
	{'m', "SIZE", "memory, in megabytes without a unit (default 512M)", takeMemory},
	{'n', "MODEL", "network card: virtio-net or e1000 (default virtio-net)", takeModel},
	{'p', "DEVICE", "PCI device for the guest: bus/slot/function or ppt0", takePassthru},
	{'P', "PORT", "port of the screen's VNC server, with -E (default 5900)", takePort},
	{'t', "TAP", "tap of the host for a network card (default tap0)", takeTap},
	{'T', "", "tablet as pointing device, with -E", func(r *request, _ string) error { r.efiOnly = append(r.efiOnly, 'T'); return nil }},
	{'u', "", "the clock keeps UTC", extra("-u")},
	{'v', "", "wait for a VNC viewer before booting, with -E", func(r *request, _ string) error { r.wait = true; r.efiOnly = append(r.efiOnly, 'v'); return nil }},
	{'w', "", "ignore accesses to unimplemented MSRs", extra("-w")},
	{'s', "PASSWORD", "refused: a password on a command line is everybody's", refusePassword},
	{'S', "", "wire the guest's memory", extra("-S")},
}
