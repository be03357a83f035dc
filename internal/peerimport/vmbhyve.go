package peerimport

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"skep/internal/cell"
)

// assignment is a line of an rc-style file: name="value".
var assignment = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([a-z_0-9]+)=(?:"([^"]*)"|'([^']*)'|([^\s#"']*))\s*(?:#.*)?$`)
})

// vmConf is a guest's configuration of vm-bhyve, by name.
type vmConf struct {
	values map[string]string
	names  []string
	used   map[string]bool
}

func (v *vmConf) get(name string) string {
	v.used[name] = true
	return v.values[name]
}

// VMBhyve makes a cell of the file that vm-bhyve has of a guest, NAME/NAME.conf in its directory.
func VMBhyve(file, text string) (*Result, error) {
	d := newDraft(filepath.Dir(file))
	v := &vmConf{values: map[string]string{}, used: map[string]bool{}}
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, " \t\r")
		if line == "" || strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		m := assignment().FindStringSubmatch(line)
		if m == nil {
			d.warn("%s:%d is no assignment, and is left out", filepath.Base(file), n+1)
			continue
		}
		v.values[m[1]] = m[2] + m[3] + m[4]
		v.names = append(v.names, m[1])
	}
	d.name(strings.TrimSuffix(filepath.Base(file), ".conf"))
	d.vmMachine(v)
	d.vmDisks(v)
	d.vmNICs(v)
	d.vmScreen(v)
	d.vmRest(v)
	return d.done(file)
}

// vmMachine is processors, memory and what boots.
func (d *draft) vmMachine(v *vmConf) {
	if n, err := strconv.Atoi(v.get("cpu")); err == nil {
		d.cell.CPUs = n
	}
	if s := v.get("memory"); s != "" {
		d.memory(s, "M")
	}
	for _, topology := range []string{"cpu_sockets", "cpu_cores", "cpu_threads"} {
		if v.get(topology) != "" {
			d.warn("%s: how processors are arranged is not carried", topology)
		}
	}
	switch loader := v.get("loader"); loader {
	case "uefi", "uefi-custom":
		d.cell.Boot = cell.Boot{Kind: cell.BootUEFI}
	case "uefi-csm":
		d.cell.Boot = cell.Boot{Kind: cell.BootUEFI}
		d.warn("uefi-csm: UEFI without its BIOS mode boots the guest; a system that only boots by a BIOS does not")
	case "grub":
		d.cell.Boot = cell.Boot{Kind: cell.BootUEFI}
		d.warn("grub: grub2-bhyve is not carried; UEFI boots the guest, which needs a boot loader for it")
		for _, name := range v.names {
			if strings.HasPrefix(name, "grub_") {
				v.get(name)
			}
		}
	default: // bhyveload is what vm-bhyve takes
		d.cell.Boot = cell.Boot{Kind: cell.BootLoader}
		d.warn("bhyveload runs on FreeBSD hosts only; boot = \"uefi\" boots on both")
	}
	if v.get("uefi_vars") == "yes" {
		d.warn("the UEFI variables of the old guest are not carried: the cell begins with new ones")
	}
}

// memory reads a size such as 512M, 4g or 2048.
func (d *draft) memory(s, unit string) {
	s = strings.ToUpper(strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(s), "B"), "b"))
	if _, err := strconv.Atoi(s); err == nil {
		s += unit
	}
	size, err := cell.ParseSize(s)
	if err != nil {
		d.warn("memory %q is not a size, and is left out", s)
		return
	}
	d.cell.Memory = size
}

func (d *draft) vmDisks(v *vmConf) {
	for n := 0; ; n++ {
		p := fmt.Sprintf("disk%d_", n)
		name, kind, dev := v.get(p+"name"), v.get(p+"type"), v.get(p+"dev")
		if name == "" && kind == "" {
			return
		}
		if v.get(p+"opts") != "" {
			d.warn("%sopts: how a disk is cached is not carried", p)
		}
		v.get(p + "size")
		model := map[string]string{"virtio-blk": "virtio", "": "virtio", "ahci-hd": "ahci", "ahci-cd": "ahci", "nvme": "nvme"}[kind]
		if model == "" {
			model = kind
		}
		if dev == "zvol" || dev == "sparse-zvol" {
			zvol := strings.TrimPrefix(filepath.Join(d.dir, name), "/")
			d.warn("%sname: the volume is taken to be %s; zfs list -t volume shows what there is", p, zvol)
			name = "/dev/zvol/" + zvol
		}
		if dev == "iscsi" {
			d.warn("%sdev: iSCSI is not carried", p)
			continue
		}
		d.disk(name, "raw", model, false, kind == "ahci-cd")
	}
}

func (d *draft) vmNICs(v *vmConf) {
	for n := 0; ; n++ {
		p := fmt.Sprintf("network%d_", n)
		kind, on, tap := v.get(p+"type"), v.get(p+"switch"), v.get(p+"device")
		if kind == "" && on == "" && tap == "" {
			return
		}
		mac, model := v.get(p+"mac"), strings.TrimSuffix(kind, "-net")
		switch {
		case tap != "":
			d.nic("", tap, mac, model)
		case on != "":
			bridge := "vm-" + on // what vm-bhyve calls a standard switch's
			if len(bridge) > 15 {
				bridge = bridge[:15]
				d.warn("%sswitch: vm-bhyve's name for the bridge of %s is cut off; ifconfig shows it", p, on)
			}
			d.nic(bridge, "", mac, model)
		}
		if v.get(p+"span") == "yes" {
			d.warn("%sspan: a span port is not carried", p)
		}
	}
}

func (d *draft) vmScreen(v *vmConf) {
	on := v.get("graphics") == "yes"
	listen, port, res, wait := v.get("graphics_listen"), v.get("graphics_port"), v.get("graphics_res"), v.get("graphics_wait")
	v.get("xhci_mouse") // a screen of skep's has a tablet always
	v.get("graphics_vga")
	if !on {
		return
	}
	if listen != "" && port != "" {
		d.screen(listen+":"+port, "graphics")
	} else {
		d.screen("", "graphics")
	}
	if w, h, ok := strings.Cut(res, "x"); ok {
		d.cell.Screen.Width, _ = strconv.Atoi(w)
		d.cell.Screen.Height, _ = strconv.Atoi(h)
	}
	if wait == "yes" {
		d.cell.Screen.Wait = true
	}
}

// vmRest says what of the file has no place in a cell.
func (d *draft) vmRest(v *vmConf) {
	for n := 0; ; n++ {
		pci := v.get(fmt.Sprintf("passthru%d", n))
		if pci == "" {
			break
		}
		d.cell.Passthru = append(d.cell.Passthru, cell.Passthru{Label: d.label("pci"), PCI: pci})
		d.warn("passthru%d: a device that is passed through is a relaxation, and works on FreeBSD hosts only", n)
	}
	for _, name := range v.names {
		switch {
		case v.used[name]:
		case name == "uuid" || name == "utctime" || name == "debug" || name == "virt_random" || name == "start_slot":
			d.warn("%s is not carried: skep settles it itself", name)
		case name == "bhyve_options" || name == "bhyveload_args" || name == "bhyveload_loader":
			d.warn("%s is not carried: hypervisor { args = [ … ] } is where arguments would be, as a relaxation", name)
		case slices.Contains([]string{"prestart", "poststop"}, name) || strings.HasSuffix(name, "_start"):
			d.warn("%s is not carried: skep runs nothing for a guest", name)
		case strings.HasPrefix(name, "limit_"):
			d.warn("%s is not carried: jail { limits { … } } bounds the hypervisor", name)
		default:
			d.warn("%s is not carried", name)
		}
	}
}
