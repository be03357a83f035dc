package e2e

import (
	"os"
	"strings"
	"testing"
)

// What other managers keep becomes a cell that starts.
func TestImportedStarts(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	l.write("d.img", "")
	l.try(os.Truncate(l.path("d.img"), 4<<20))
	l.cell("other", "") // and with it the directory
	xml := l.write("web.xml", `<domain type="qemu">
  <name>web</name>
  <memory unit="MiB">256</memory>
  <os><type arch="x86_64">hvm</type><kernel>`+k.Image+`</kernel><initrd>`+k.Initrd+`</initrd><cmdline>console=ttyS0 panic=-1</cmdline></os>
  <devices><disk type="file"><driver type="raw"/><source file="`+l.path("d.img")+`"/><target bus="virtio"/></disk><tpm/></devices>
</domain>`)
	if r := l.must(0, "import", "--libvirt", xml, "-o", l.path("config/cells/web.hcl")); !strings.Contains(r.err, "warning: <tpm> is not carried") {
		t.Errorf("it does not warn:\n%s", r.err)
	}
	l.must(0, "import", "--qemu", "qemu-system-x86_64 -name typed -machine q35,accel=tcg -m 256M -nographic -kernel "+k.Image+" -initrd "+k.Initrd+
		" -append 'console=ttyS0 panic=-1'", "-o", l.path("config/cells/typed.hcl"))
	for _, name := range []string{"web", "typed"} {
		l.must(0, "up", name)
		c := l.console(name)
		c.expect(boot, "guest: ready")
		l.must(0, "kill", name)
	}
	l.must(2, "import", "--qemu", "-m 1G", "--libvirt", xml)
	l.must(2, "import", "--libvirt", l.path("nosuch"))
	l.must(2, "import", "--libvirt", l.path("d.img"))
	l.nothingLeft()
}

// So does a guest of vm-bhyve's, with UEFI.
func TestImportedVMBhyve(t *testing.T) {
	needUEFI(t)
	t.Parallel()
	l := newLab(t)
	conf := l.write("old/old.conf", `loader="uefi"
cpu=1
memory=512M
disk0_type="virtio-blk"
disk0_name="disk0.img"
graphics="yes"
`)
	l.cell("other", "") // and with it the directory
	l.write("old/disk0.img", "")
	l.try(os.Truncate(l.path("old/disk0.img"), 4<<20))
	file := l.path("config/cells/old.hcl")
	l.must(0, "import", "--vm-bhyve", conf, "-o", file)
	// A software KVM does not run the firmware.
	b, err := os.ReadFile(file)
	l.try(err)
	l.write("config/cells/old.hcl", strings.Replace(string(b), "cell \"old\" {\n", "cell \"old\" {\n  accel = \"tcg\"\n", 1))
	l.must(0, "up", "old")
	l.must(0, "audit", "old")
	l.must(0, "kill", "old")
	l.nothingLeft()
}
