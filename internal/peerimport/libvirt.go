package peerimport

import (
	"encoding/xml"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"skep/internal/cell"
	"skep/internal/fault"
)

// domain is what is read of libvirt's XML.
type domain struct {
	XMLName xml.Name `xml:"domain"`
	Type    string   `xml:"type,attr"`
	Name    string   `xml:"name"`
	Memory  amount   `xml:"memory"`
	VCPU    int      `xml:"vcpu"`
	OS      struct {
		Firmware string `xml:"firmware,attr"`
		Type     struct {
			Arch string `xml:"arch,attr"`
		} `xml:"type"`
		Loader  string `xml:"loader"`
		Kernel  string `xml:"kernel"`
		Initrd  string `xml:"initrd"`
		Cmdline string `xml:"cmdline"`
	} `xml:"os"`
	OnCrash string `xml:"on_crash"`
	Devices struct {
		Nodes []xmlNode `xml:",any"`
	} `xml:"devices"`
	Others []xmlOther `xml:",any"`
}

type amount struct {
	Unit string `xml:"unit,attr"`
	Text string `xml:",chardata"`
}

type xmlOther struct{ XMLName xml.Name }

// xmlNode is any device, with the few parts that devices have in common.
type xmlNode struct {
	XMLName xml.Name
	Type    string `xml:"type,attr"`
	Device  string `xml:"device,attr"`
	Port    string `xml:"port,attr"`
	Listen  string `xml:"listen,attr"`
	Passwd  string `xml:"passwd,attr"`
	Driver  struct {
		Type string `xml:"type,attr"`
	} `xml:"driver"`
	Source struct {
		File    string `xml:"file,attr"`
		Dev     string `xml:"dev,attr"`
		Bridge  string `xml:"bridge,attr"`
		Network string `xml:"network,attr"`
	} `xml:"source"`
	Target struct {
		Dev string `xml:"dev,attr"`
		Bus string `xml:"bus,attr"`
	} `xml:"target"`
	MAC struct {
		Address string `xml:"address,attr"`
	} `xml:"mac"`
	Model struct {
		Type string `xml:"type,attr"`
	} `xml:"model"`
	ReadOnly *struct{} `xml:"readonly"`
}

// Libvirt makes a cell of a domain's XML, as virsh dumpxml writes it.
func Libvirt(file, text string) (*Result, error) {
	var dom domain
	if err := xml.Unmarshal([]byte(text), &dom); err != nil {
		return nil, fault.Wrap(fault.Input, err, "virsh dumpxml --inactive NAME writes one", "read %s", file)
	}
	d := newDraft(filepath.Dir(file))
	d.name(strings.TrimSpace(dom.Name))
	if dom.VCPU > 0 {
		d.cell.CPUs = dom.VCPU
	}
	d.domainMemory(dom.Memory)
	d.domainBoot(&dom)
	for _, n := range dom.Devices.Nodes {
		d.device(n)
	}
	if dom.Type == "qemu" {
		d.cell.Accel = cell.AccelTCG
	}
	if dom.OnCrash == "restart" {
		d.cell.Restart = cell.RestartOnCrash
	}
	for _, o := range dom.Others {
		if why, known := domainParts[o.XMLName.Local]; !known {
			d.warn("<%s> is not carried", o.XMLName.Local)
		} else if why != "" {
			d.warn("<%s> is not carried: %s", o.XMLName.Local, why)
		}
	}
	return d.done(file)
}

// domainParts are parts of a domain that need no word, or another than that they are not carried.
var domainParts = map[string]string{
	"uuid": "", "title": "", "description": "", "metadata": "", "currentMemory": "", "on_poweroff": "", "on_reboot": "",
	"pm": "", "features": "", "resource": "", "seclabel": "the jail is skep's own",
	"cpu": "the guest gets every feature that the host can give", "clock": "the guest's clock is UTC",
	"cputune": "jail { limits { cpu = … } } bounds the processor", "memoryBacking": "memory is the hypervisor's own",
	"numatune": "", "iothreads": "", "commandline": "hypervisor { args = [ … ] } is where arguments would be, as a relaxation",
}

func (d *draft) domainMemory(m amount) {
	units := map[string]string{"": "K", "KiB": "K", "k": "K", "MiB": "M", "M": "M", "GiB": "G", "G": "G", "TiB": "T"}
	unit, known := units[m.Unit]
	if !known {
		d.warn("<memory> has the unit %s, and is left out", m.Unit)
		return
	}
	n, err := strconv.ParseInt(strings.TrimSpace(m.Text), 10, 64)
	if err != nil || n <= 0 {
		return
	}
	if unit == "K" {
		n, unit = (n+1023)/1024, "M"
	}
	d.memory(fmt.Sprint(n)+unit, unit)
}

func (d *draft) domainBoot(dom *domain) {
	switch o := dom.OS; {
	case o.Kernel != "":
		d.cell.Boot = cell.Boot{Kind: cell.BootKernel}
		d.cell.Kernel = &cell.Kernel{Image: d.path(o.Kernel), Cmdline: strings.TrimSpace(o.Cmdline)}
		if o.Initrd != "" {
			d.cell.Kernel.Initrd = d.path(o.Initrd)
		}
	case o.Firmware == "efi":
		d.cell.Boot = cell.Boot{Kind: cell.BootUEFI}
	case strings.TrimSpace(o.Loader) != "":
		d.firmware(strings.TrimSpace(o.Loader))
	default:
		d.cell.Boot = cell.Boot{Kind: cell.BootBIOS}
	}
	if d.cell.Boot.Kind == cell.BootUEFI {
		d.warn("the UEFI variables of the old guest are not carried: the cell begins with new ones")
	}
	if arch := dom.OS.Type.Arch; arch != "" && arch != "x86_64" && arch != "i686" {
		d.warn("the architecture is %s: a cell is an x86-64 machine", arch)
	}
}

// device carries one device.
func (d *draft) device(n xmlNode) {
	switch what := n.XMLName.Local; what {
	case "disk":
		d.domainDisk(n)
	case "interface":
		switch {
		case n.Type == "bridge" && n.Source.Bridge != "":
			d.nic(n.Source.Bridge, "", n.MAC.Address, n.Model.Type)
		case n.Type == "network" && n.Source.Network == "default":
			d.nic("virbr0", "", n.MAC.Address, n.Model.Type)
			d.warn("the network default is taken to be on the bridge virbr0, which libvirt makes")
		default:
			d.warn("<interface type='%s'> is not carried: a network card is on a bridge or on a tap", n.Type)
		}
	case "graphics":
		d.graphics(n)
	case "emulator", "serial", "console", "input", "video", "controller", "memballoon", "rng", "panic", "watchdog":
		// skep's own are in their place
	case "tpm":
		d.warn("<tpm> is not carried")
	case "hostdev":
		d.warn("<hostdev> is not carried: a device is passed through on FreeBSD hosts only")
	case "filesystem":
		d.warn("<filesystem> is not carried: files { paths = [ … ] } gives a guest files to read")
	default:
		d.warn("<%s> is not carried", what)
	}
}

func (d *draft) domainDisk(n xmlNode) {
	path := n.Source.File
	if path == "" {
		path = n.Source.Dev
	}
	if path == "" {
		if n.Type != "file" && n.Type != "block" {
			d.warn("<disk type='%s'> is not carried", n.Type)
		} else {
			d.warn("an empty drive (%s) is not carried", n.Target.Dev)
		}
		return
	}
	model := map[string]string{"virtio": "virtio", "": "virtio", "sata": "ahci", "ide": "ahci", "nvme": "nvme"}[n.Target.Bus]
	if model == "" {
		model = n.Target.Bus
	}
	d.disk(path, n.Driver.Type, model, n.ReadOnly != nil, n.Device == "cdrom")
}

func (d *draft) graphics(n xmlNode) {
	if n.Passwd != "" {
		d.warn("the screen's password is not carried: password_file = … names a file that has it")
	}
	if n.Type != "vnc" {
		d.screen("", n.Type)
		d.warn("%s becomes VNC", n.Type)
		return
	}
	if port, err := strconv.Atoi(n.Port); err == nil && port > 0 && n.Listen != "" {
		d.screen(fmt.Sprintf("%s:%d", n.Listen, port), "VNC")
		return
	}
	d.screen("", "VNC")
}
