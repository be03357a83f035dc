package peerimport

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"skep/internal/cell"
	"skep/internal/fault"
)

// qemuLone are options of QEMU's that take no value, of those that people type.
var qemuLone = strings.Fields(`-enable-kvm -no-kvm -nographic -daemonize -snapshot -S -s -no-reboot -no-shutdown -usb
	-nodefaults -no-user-config -no-acpi -no-hpet -full-screen -mem-prealloc -no-fd-bootchk -curses -win2k-hack`)

// needless are options that a cell has an answer of its own to.
var needless = strings.Fields(`-enable-kvm -nographic -nodefaults -no-user-config -daemonize -pidfile -monitor -mon -qmp -serial
	-chardev -display -vga -usb -no-reboot -no-shutdown -boot -rtc -msg -no-acpi -no-hpet -k -L -uuid -D`)

// dropped are options that are not carried, and why.
var dropped = map[string]string{
	"-snapshot":   "disk { … disposable = true } is thrown away at the end",
	"-s":          "gdb { listen = … } has a debugger, as a relaxation",
	"-gdb":        "gdb { listen = … } has a debugger, as a relaxation",
	"-S":          "gdb { wait = true } has the guest wait",
	"-cpu":        "the guest gets every feature that the host can give",
	"-virtfs":     "files { paths = [ … ] } gives a guest files to read",
	"-fsdev":      "files { paths = [ … ] } gives a guest files to read",
	"-spice":      "the screen is VNC",
	"-tpmdev":     "there is no TPM",
	"-mem-path":   "memory is the hypervisor's own",
	"-sandbox":    "the jail is skep's own, and stricter",
	"-runas":      "a cell has a user of its own",
	"-chroot":     "the jail is skep's own, and stricter",
	"-readconfig": "only the command line is read",
}

// words splits a command line as sh(1) would, without expanding anything.
func words(line string) ([]string, error) {
	var all []string
	var b strings.Builder
	in, quote := false, rune(0)
	runes := []rune(line)
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; {
		case quote == 0 && strings.ContainsRune(" \t\n\r", r):
			if in {
				all = append(all, b.String())
				b.Reset()
				in = false
			}
		case r == '\\' && quote != '\'' && i+1 < len(runes):
			i++
			if runes[i] != '\n' {
				b.WriteRune(runes[i])
				in = true
			}
		case quote == 0 && (r == '"' || r == '\''):
			quote, in = r, true
		case r == quote:
			quote = 0
		case quote != '\'' && (r == '$' || r == '`'):
			return nil, fault.New(fault.Input, "write what it stands for", "read the command line: nothing is run or expanded, and it has %c", r)
		default:
			b.WriteRune(r)
			in = true
		}
	}
	if quote != 0 {
		return nil, fault.New(fault.Input, "", "read the command line: a closing %c is missing", quote)
	}
	if in {
		all = append(all, b.String())
	}
	return all, nil
}

// options are the parts of a value with commas between them; a double comma is one.
type options struct {
	first string // the part without a name
	named map[string]string
}

func split(value string) options {
	o := options{named: map[string]string{}}
	for i, part := range strings.Split(strings.ReplaceAll(value, ",,", "\x00"), ",") {
		part = strings.ReplaceAll(part, "\x00", ",")
		if k, v, ok := strings.Cut(part, "="); ok {
			o.named[k] = v
		} else if i == 0 {
			o.first = part
		} else {
			o.named[part] = "on"
		}
	}
	return o
}

// machine is what a QEMU command line describes, before devices meet their back ends.
type machine struct {
	*draft
	netdevs map[string]options // of -netdev, by id
	drives  map[string]options // of -drive with if=none, by id
	devices []options
	kernel  cell.Kernel
	flash   []string
}

// QEMU makes a cell of a command line of qemu-system-x86_64, whose relative paths are relative to dir.
func QEMU(line, dir string) (*Result, error) {
	args, err := words(line)
	if err != nil {
		return nil, err
	}
	m := machine{draft: newDraft(dir), netdevs: map[string]options{}, drives: map[string]options{}}
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") { // sudo, the program
		if base := filepath.Base(args[0]); strings.HasPrefix(base, "qemu-system-") && base != "qemu-system-x86_64" && base != "qemu-system-i386" {
			m.warn("%s: a cell is an x86-64 machine", base)
		}
		args = args[1:]
	}
	m.cell.Name, m.cell.Boot = "imported", cell.Boot{Kind: cell.BootBIOS}
	for i := 0; i < len(args); i++ {
		flag := "-" + strings.TrimLeft(args[i], "-")
		switch {
		case !strings.HasPrefix(args[i], "-"):
			m.disk(args[i], "raw", "virtio", false, false)
			m.warn("%s: the first disk, taken for a raw image", args[i])
		case slices.Contains(qemuLone, flag) || i+1 == len(args):
			m.option(flag, "")
		default:
			i++
			m.option(flag, args[i])
		}
	}
	m.connect()
	return m.done("this command line")
}

// option carries one option.
func (m *machine) option(flag, value string) {
	o := split(value)
	switch flag {
	case "-name":
		m.name(firstOf(o, "guest"))
	case "-m":
		m.memory(firstOf(o, "size"), "M")
	case "-smp":
		if n, err := strconv.Atoi(firstOf(o, "cpus")); err == nil {
			m.cell.CPUs = n
		}
	case "-machine", "-M", "-accel":
		m.board(o)
	case "-kernel":
		m.kernel.Image = m.path(value)
	case "-initrd":
		m.kernel.Initrd = m.path(value)
	case "-append":
		m.kernel.Cmdline = value
	case "-bios":
		m.firmware(value)
	case "-hda", "-hdb", "-hdc", "-hdd":
		m.disk(value, guess(value), "virtio", false, false)
	case "-cdrom":
		m.disk(value, "raw", "ahci", true, true)
	case "-drive":
		m.drive(o)
	case "-netdev":
		m.netdevs[o.named["id"]] = o
	case "-nic", "-net":
		m.net(flag, o)
	case "-device":
		m.devices = append(m.devices, o)
	case "-vnc":
		m.vnc(o.first)
	default:
		m.other(flag, value)
	}
}

func firstOf(o options, name string) string {
	if o.first != "" {
		return o.first
	}
	return o.named[name]
}

func (m *machine) other(flag, value string) {
	why, known := dropped[flag]
	switch {
	case slices.Contains(needless, flag):
	case known:
		m.warn("%s is not carried: %s", flag, why)
	case value != "":
		m.warn("%s %s is not carried", flag, value)
	default:
		m.warn("%s is not carried", flag)
	}
}

func (m *machine) board(o options) {
	accel := o.named["accel"]
	if accel == "" && slices.Contains([]string{"kvm", "tcg", "hvf", "whpx"}, o.first) {
		accel = o.first
	}
	if accel == "tcg" {
		m.cell.Accel = cell.AccelTCG
	}
	if o.first == "pc" || strings.HasPrefix(o.first, "pc-i440fx") || o.first == "microvm" {
		m.warn("the board %s becomes q35", o.first)
	}
}

// guess is an image's format by its name; QEMU would look into the image, which a guest can write.
func guess(path string) string {
	if strings.HasSuffix(path, ".qcow2") {
		return "qcow2"
	}
	return "raw"
}

func (m *machine) drive(o options) {
	file := o.named["file"]
	switch {
	case o.named["if"] == "pflash":
		m.flash = append(m.flash, file)
	case o.named["if"] == "none":
		m.drives[o.named["id"]] = o
	case file == "":
		m.warn("a drive without a file is not carried")
	default:
		m.attach(o, map[string]string{"": "virtio", "virtio": "virtio", "ide": "ahci", "nvme": "nvme", "scsi": "scsi"}[o.named["if"]])
	}
}

func (m *machine) attach(o options, model string) {
	file, format := o.named["file"], o.named["format"]
	if format == "" {
		format = guess(file)
		m.warn("%s: its format is taken to be %s; it is never guessed from what a guest writes", file, format)
	}
	readOnly := o.named["readonly"] == "on" || o.named["read-only"] == "on"
	m.disk(file, format, model, readOnly, o.named["media"] == "cdrom")
}

func (m *machine) net(flag string, o options) {
	switch kind := o.first; kind {
	case "none":
	case "bridge":
		m.nic(orElse(o.named["br"], "br0"), "", o.named["mac"], o.named["model"])
	case "tap":
		m.nic("", orElse(o.named["ifname"], "tap0"), o.named["mac"], o.named["model"])
	case "nic":
		m.warn("%s nic is not carried: write nic \"lan\" { bridge = … }", flag)
	default:
		m.warn("%s %s is not carried: a guest has no network but on a bridge or a tap", flag, kind)
	}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// vnc is "host:display" or "unix:path".
func (m *machine) vnc(where string) {
	host, display, _ := strings.Cut(where, ":")
	n, err := strconv.Atoi(display)
	if where == "none" {
		return
	}
	if err != nil || host == "unix" || host == "" {
		m.screen("", "VNC")
		return
	}
	m.screen(fmt.Sprintf("%s:%d", host, 5900+n), "VNC")
}

// connect has devices meet their back ends.
func (m *machine) connect() {
	for _, o := range m.devices {
		kind := firstOf(o, "driver")
		back, isNet := m.netdevs[o.named["netdev"]]
		drive, isDisk := m.drives[o.named["drive"]]
		switch {
		case isNet && o.named["netdev"] != "":
			back.named["mac"], back.named["model"] = o.named["mac"], strings.TrimSuffix(kind, "-net-pci")
			m.net("-netdev", options{orElse(back.first, back.named["type"]), back.named})
		case isDisk && o.named["drive"] != "":
			if strings.HasSuffix(kind, "-cd") {
				drive.named["media"] = "cdrom"
			}
			m.attach(drive, deviceModel(kind))
		case strings.HasPrefix(kind, "usb-") || strings.HasPrefix(kind, "virtio-rng") || strings.HasPrefix(kind, "virtio-serial") ||
			strings.HasSuffix(kind, "-xhci") || strings.Contains(kind, "ahci") || strings.HasPrefix(kind, "virtio-scsi") ||
			strings.Contains(kind, "vga") || strings.HasPrefix(kind, "virtio-gpu"):
			// skep's own are in their place
		default:
			m.warn("-device %s is not carried", kind)
		}
	}
	switch {
	case m.kernel.Image != "":
		m.cell.Boot, m.cell.Kernel = cell.Boot{Kind: cell.BootKernel}, &m.kernel
	case len(m.flash) > 0:
		m.firmware(m.flash[0])
		m.warn("the UEFI variables of the old guest are not carried: the cell begins with new ones")
	}
}

func deviceModel(kind string) string {
	switch {
	case strings.HasPrefix(kind, "virtio-blk"):
		return "virtio"
	case strings.HasPrefix(kind, "ide-"):
		return "ahci"
	case kind == "nvme":
		return "nvme"
	}
	return kind
}
