package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What would be misread is refused with what to do, and the guest does not start.
func TestMisread(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	tool := func(argv ...string) {
		t.Helper()
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v, %s", argv, err, out)
		}
	}
	refused := func(body, words, hint string) {
		t.Helper()
		l.cell("m", "accel = \"tcg\"\n"+body)
		if r := l.must(2, "up", "m"); !strings.Contains(r.err, words) || !strings.Contains(r.err, hint) {
			t.Errorf("want %q and %q: %s", words, hint, r)
		}
	}
	image := l.path("a.img")
	asRaw, asQcow2 := fmt.Sprintf("disk \"a\" { file = %q }", image), fmt.Sprintf("disk \"a\" {\n  file = %q\n  format = \"qcow2\"\n}", image)
	tool("qemu-img", "create", "-q", "-f", "qcow2", image, "1M")
	refused(asRaw, "it is a qcow2 image", `format = "qcow2"`)
	tool("qemu-img", "create", "-q", "-f", "vmdk", image, "1M")
	refused(asRaw, "it is a VMDK image", "qemu-img convert")
	tool("qemu-img", "create", "-q", "-f", "qcow2", "--object", "secret,id=s,data=geheim", "-o", "encrypt.format=luks,encrypt.key-secret=s", image, "1M")
	refused(asQcow2, "it is encrypted (LUKS)", "qemu-img convert")

	for _, args := range []string{`"-snapshot"`, `"-drive", "file=/a.img"`, `"-S"`, `"-sandbox", "on"`, `"-daemonize"`, `"-chroot", "/"`, `"-runas", "nobody"`, `"-incoming", "defer"`, `"-loadvm", "s"`} {
		flag := strings.Trim(strings.Split(args, ",")[0], `"`)
		refused("hypervisor { args = ["+args+"] }", "cannot pass "+flag+" to the hypervisor", "")
		l.must(2, "plan", "m")
	}

	vars := l.path("state/cells/m/uefi-vars.fd")
	for _, b := range [][]byte{{}, make([]byte, 4096), make([]byte, 131072)} {
		l.try(os.WriteFile(vars, b, 0o600))
		refused(`boot = "uefi"`, "use the UEFI variables", "skep disk rm m uefi-vars")
	}
	l.must(0, "disk", "rm", "--yes", "m", "uefi-vars")
	l.must(0, "up", "m")
	l.must(0, "kill", "m")
	l.nothingLeft()
}

// A disk that the guest has had may begin as it likes: that is told, and the
// guest gets it. So may one of which the file itself says that it is raw, of
// what guests put on disks.
func TestGuestWroteIt(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	image := l.path("a.img")
	l.cell("g", fmt.Sprintf("accel = \"tcg\"\ndisk \"a\" {\n  file = %q\n  size = \"1M\"\n}", image))
	l.must(0, "up", "g")
	l.must(0, "kill", "g")
	begin := func(path, words string) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		l.try(err)
		_, err = f.WriteAt([]byte(words), 0)
		l.try(err)
		f.Close()
	}
	for _, magic := range []string{"QFI\xfb", "LUKS\xba\xbe"} {
		begin(image, magic)
		if r := l.must(0, "up", "g"); !strings.Contains(r.err, "the guest gets its bytes as they are") {
			t.Errorf("%q: %s", magic, r)
		}
		l.must(0, "kill", "g")
	}
	other := l.write("b.img", "LUKS\xba\xbe"+strings.Repeat("\x00", 1<<20-6))
	l.cell("h", fmt.Sprintf("accel = \"tcg\"\ndisk \"a\" { file = %q }", other))
	l.must(2, "up", "h")
	l.cell("h", fmt.Sprintf("accel = \"tcg\"\ndisk \"a\" {\n  file = %q\n  format = \"raw\"\n}", other))
	l.must(0, "up", "h")
	l.must(0, "kill", "h")
	begin(image, "KDMV\x00\x00")
	l.cell("h", fmt.Sprintf("accel = \"tcg\"\ndisk \"a\" {\n  file = %q\n  format = \"raw\"\n}", image))
	l.must(2, "up", "h") // another cell has not had it
	l.nothingLeft()
}

// A disk stays that another cell names, wherever its file lies.
func TestDiskRemoveAsksAll(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	image := l.path("a.img")
	disk := fmt.Sprintf("accel = \"tcg\"\ndisk \"a\" {\n  file = %q\n  size = \"1M\"\n}", image)
	elsewhere := l.write("elsewhere/p.hcl", "cell \"p\" {\n"+disk+"\n}\n")
	l.must(0, "up", elsewhere)
	l.must(0, "kill", "p")
	l.cell("d", disk)
	refused := func() {
		t.Helper()
		if r := l.must(2, "disk", "rm", "--yes", "d"); !strings.Contains(r.err, "the cell p has it, too") {
			t.Errorf("%s", r)
		}
	}
	refused()
	// By another name, and where the file says nothing that can be read.
	l.try(os.Symlink(l.dir, l.path("link")))
	l.write("elsewhere/p.hcl", "cell \"p\" {\n"+strings.ReplaceAll(disk, image, l.path("link/a.img"))+"\n}\n")
	refused()
	l.write("elsewhere/p.hcl", "cell \"p\" {")
	refused()
	l.write("elsewhere/p.hcl", "cell \"p\" {}\n")
	l.must(0, "disk", "rm", "--yes", "d")
	l.nothingLeft()
}
