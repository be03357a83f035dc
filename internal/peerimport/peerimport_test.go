package peerimport

import (
	"strings"
	"testing"
)

// check compares a cell's file, and wants each of some warnings and no others.
func check(t *testing.T, r *Result, err error, want string, warnings ...string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(r.Text)); got != strings.TrimSpace(want) {
		t.Errorf("the cell is\n%s\nwant\n%s", got, want)
	}
	for _, w := range warnings {
		if !contains(r.Warnings, w) {
			t.Errorf("it does not warn of %q", w)
		}
	}
	for _, got := range r.Warnings {
		if !contains(warnings, got) && !within(warnings, got) {
			t.Errorf("it warns: %s", got)
		}
	}
}

func contains(all []string, part string) bool {
	for _, s := range all {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

func within(parts []string, s string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

func TestVMBhyve(t *testing.T) {
	r, err := VMBhyve("/vm/win.10/win.10.conf", `# a guest of a lab
loader="uefi"
graphics="yes"
graphics_listen="127.0.0.1"
graphics_port=5905
graphics_res="1600x900"
xhci_mouse="yes"
cpu=4   # two would do
memory=8G
network0_type="e1000"
network0_switch="public"
network0_mac="58:9C:FC:00:00:01"
disk0_type="ahci-hd"
disk0_name="disk0.img"
disk0_opts="sectorsize=512"
disk1_type="virtio-blk"
disk1_dev="sparse-zvol"
disk1_name="disk1"
disk2_type="ahci-cd"
disk2_dev="custom"
disk2_name="/iso/tools.iso"
bhyve_options="-w"
uuid="11111111-2222-3333-4444-555555555555"
prestart="hook.sh"
limit_pcpu="50"
  indented="x"
nonsense here
frobnicate=1
`)
	check(t, r, err, `cell "win-10" {
  cpus   = 4
  memory = "8G"
  boot   = "uefi"
  disk "disk0" {
    file  = "/vm/win.10/disk0.img"
    model = "ahci"
  }
  disk "disk1" {
    zvol = "vm/win.10/disk1"
  }
  disk "disk2" {
    iso = "/iso/tools.iso"
  }
  nic "nic0" {
    bridge = "vm-public"
    mac    = "58:9c:fc:00:00:01"
    model  = "e1000"
  }
  screen {
    listen = "127.0.0.1:5905"
    width  = 1600
    height = 900
  }
}`, "the cell is named win-10", "disk0_opts", "the volume is taken to be vm/win.10/disk1", "vm-public has to be there",
		"without a password", "bhyve_options is not carried", "uuid is not carried", "prestart is not carried: skep runs nothing",
		"limit_pcpu is not carried", "no assignment", "frobnicate is not carried")
	r, err = VMBhyve("/vm/f/f.conf", "cpu=1\nmemory=256M\ndisk0_type=virtio-blk\ndisk0_name=disk0.img\ncpu_sockets=1\n")
	check(t, r, err, `cell "f" {
  memory = "256M"
  boot   = "loader"
  disk "disk0" {
    file = "/vm/f/disk0.img"
  }
}`, "bhyveload runs on FreeBSD hosts only", "cpu_sockets")
}

func TestLibvirt(t *testing.T) {
	r, err := Libvirt("/etc/guests/lab.xml", `<domain type='kvm' id='3'>
  <name>lab one</name>
  <uuid>11111111-2222-3333-4444-555555555555</uuid>
  <memory unit='KiB'>2097152</memory>
  <currentMemory unit='KiB'>2097152</currentMemory>
  <vcpu placement='static'>2</vcpu>
  <os firmware='efi'><type arch='x86_64' machine='pc-q35-7.2'>hvm</type><boot dev='hd'/></os>
  <features><acpi/></features>
  <cpu mode='host-passthrough'/>
  <clock offset='utc'/>
  <on_crash>restart</on_crash>
  <launchSecurity type='sev'/>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='/images/lab.qcow2'/><target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'><source file='/iso/a.iso'/><target dev='sda' bus='sata'/><readonly/></disk>
    <disk type='file' device='cdrom'><target dev='sdb' bus='sata'/><readonly/></disk>
    <disk type='network' device='disk'><source protocol='rbd' name='x'/><target dev='vdb' bus='virtio'/></disk>
    <interface type='bridge'><mac address='52:54:00:AA:BB:CC'/><source bridge='br0'/><model type='virtio'/></interface>
    <interface type='user'/>
    <graphics type='spice' port='5900' passwd='secret'/>
    <hostdev mode='subsystem' type='pci'/>
    <filesystem type='mount'/>
    <tpm model='tpm-crb'/>
    <sound model='ich9'/>
  </devices>
</domain>`)
	check(t, r, err, `cell "lab-one" {
  cpus    = 2
  memory  = "2G"
  boot    = "uefi"
  restart = "on-crash"
  disk "disk0" {
    file   = "/images/lab.qcow2"
    format = "qcow2"
  }
  disk "disk1" {
    iso = "/iso/a.iso"
  }
  nic "nic0" {
    bridge = "br0"
    mac    = "52:54:00:aa:bb:cc"
  }
  screen {
  }
}`, "named lab-one", "a backing file that this image names is not followed", "an empty drive (sdb)", "<disk type='network'>", "br0 has to be there",
		"<interface type='user'>", "the screen's password is not carried", "spice becomes VNC", "the screen (spice)", "<hostdev>", "<filesystem>",
		"<tpm>", "<sound>", "UEFI variables", "<cpu> is not carried", "<clock> is not carried", "<launchSecurity> is not carried")
	for _, w := range r.Warnings {
		if strings.Contains(w, "secret") {
			t.Errorf("the password is shown: %s", w)
		}
	}
	if _, err := Libvirt("x", "<domain><name>"); err == nil {
		t.Error("half a file is read")
	}
}

func TestQEMU(t *testing.T) {
	r, err := QEMU(`sudo qemu-system-x86_64 -enable-kvm -name "lab two" -m 2G -smp 2,sockets=1 -cpu host \
  -drive file=root.qcow2,if=virtio -drive if=none,id=d1,file=/d/data.raw,format=raw -device virtio-blk-pci,drive=d1 -cdrom '/iso/a b.iso' \
  -netdev tap,id=n0,ifname=tap7,script=no -device e1000,netdev=n0,mac=52:54:00:12:34:56 -nic user,hostfwd=tcp::2222-:22 \
  -vnc 127.0.0.1:3 -usb -device usb-tablet -virtfs local,path=/x -snapshot -frob 1`, "/home/me")
	check(t, r, err, `cell "lab-two" {
  cpus   = 2
  memory = "2G"
  boot   = "bios"
  disk "disk0" {
    file   = "/home/me/root.qcow2"
    format = "qcow2"
  }
  disk "disk1" {
    iso = "/iso/a b.iso"
  }
  disk "disk2" {
    file = "/d/data.raw"
  }
  nic "nic0" {
    tap   = "tap7"
    mac   = "52:54:00:12:34:56"
    model = "e1000"
  }
  screen {
    listen = "127.0.0.1:5903"
  }
}`, "named lab-two", "its format is taken to be qcow2", "a backing file", "tap7 has to be there", "-nic user is not carried",
		"without a password", "-virtfs is not carried", "-snapshot is not carried", "-frob 1 is not carried", "-cpu is not carried")
	r, err = QEMU("qemu-system-x86_64 -kernel vmlinuz -initrd initrd -append 'console=ttyS0 quiet' -nographic -machine q35,accel=tcg -m 256", "/k")
	check(t, r, err, `cell "imported" {
  memory = "256M"
  accel  = "tcg"
  kernel {
    image   = "/k/vmlinuz"
    initrd  = "/k/initrd"
    cmdline = "console=ttyS0 quiet"
  }
}`)
	for line, want := range map[string]string{"qemu -m $(rm -rf /)": "nothing is run or expanded", `qemu -name "x`: "closing \" is missing"} {
		if _, err := QEMU(line, "/"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// Whatever is typed is a cell or an error.
func FuzzQEMU(f *testing.F) {
	f.Add("qemu -drive file=a,,b,if=none,id=x -device virtio-blk,drive=x -net nic -name 'ä'")
	f.Add("-device ,drive= -netdev ,id= -vnc :")
	f.Fuzz(func(t *testing.T, line string) { _, _ = QEMU(line, "/d") })
}

// Whatever a file holds is a cell or an error.
func FuzzFiles(f *testing.F) {
	f.Add("cpu=2\ndisk0_name=x\ndisk0_type=y\ngraphics=yes\ngraphics_res=ax\n")
	f.Add("<domain><name>x</name><devices><disk/><interface/><graphics/></devices></domain>")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = VMBhyve("/vm/x/x.conf", text)
		_, _ = Libvirt("/x.xml", text)
	})
}
