package hypervisor_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skep/internal/cell"
	"skep/internal/hypervisor"
	"skep/internal/qmp"
)

// bootSector is a disk's first sector with a program that copies it to the
// second, by way of the BIOS, and sleeps.
func bootSector() []byte {
	s := make([]byte, 512)
	copy(s, []byte{
		0x31, 0xdb, // xor bx, bx
		0x8e, 0xc3, // mov es, bx
		0xbb, 0x00, 0x7c, // mov bx, 7c00h    where the sector is in memory
		0xb8, 0x01, 0x03, // mov ax, 0301h    write one sector
		0xb9, 0x02, 0x00, // mov cx, 2        the second one
		0xba, 0x80, 0x00, // mov dx, 80h      the first disk
		0xcd, 0x13, // int 13h
		0xf4,       // hlt
		0xeb, 0xfd, // jmp to hlt
	})
	s[510], s[511] = 0x55, 0xaa
	return s
}

// A guest boots from each kind of disk, its write reaches the host's file and
// is counted; from a read-only one it boots as well, and nothing is written.
func TestDisks(t *testing.T) {
	for _, d := range []cell.Disk{
		{Label: "virtio", File: "f", Model: "virtio"},
		{Label: "ahci", File: "f", Model: "ahci"},
		{Label: "nvme", File: "f", Model: "nvme"},
		{Label: "qcow2", File: "f", Model: "virtio", Format: cell.FormatQcow2},
		{Label: "zvol", Zvol: "a/b", Model: "virtio"},
		{Label: "read-only", File: "f", Model: "virtio", ReadOnly: true},
		{Label: "read-only-nvme", File: "f", Model: "nvme", ReadOnly: true},
	} {
		t.Run(d.Label, func(t *testing.T) {
			needQEMU(t)
			c := testCells()["firmware"]
			c.Screen, c.Disks = nil, []cell.Disk{d}
			in := behind(t, c)
			image := in.disks[d.Label]
			sector := filepath.Join(t.TempDir(), "sector")
			if err := os.WriteFile(sector, bootSector(), 0o600); err != nil {
				t.Fatal(err)
			}
			format := "raw"
			if d.Format == cell.FormatQcow2 {
				format = "qcow2"
			}
			if format == "raw" {
				f, err := os.OpenFile(image, os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				f.Write(bootSector())
				f.Close()
			} else {
				in.disks[d.Label] = image + ".new"
				if out, err := exec.Command("qemu-img", "convert", "-f", "raw", "-O", format, sector, image+".new").CombinedOutput(); err != nil {
					t.Skipf("qemu-img: %v: %s", err, out)
				}
				if out, err := exec.Command("qemu-img", "resize", image+".new", "8M").CombinedOutput(); err != nil {
					t.Fatalf("qemu-img: %v: %s", err, out)
				}
			}
			l := start(t, c, cell.AccelTCG, in)
			if err := l.qmp.Cont(t.Context()); err != nil {
				t.Fatal(err)
			}
			written := l.wait(10*time.Second, func(s qmp.DiskStats) bool { return s.Writes > 0 }, d.ReadOnly)
			if written == d.ReadOnly {
				t.Fatalf("written: %v", written)
			}
			if err := l.quit(); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("qemu-img", "dd", "-f", format, "-O", "raw", "if="+in.disks[d.Label], "of="+sector+".back", "bs=512", "skip=1", "count=2").CombinedOutput() // count counts what is skipped too
			if err != nil {
				t.Fatalf("qemu-img: %v: %s", err, out)
			}
			back, _ := os.ReadFile(sector + ".back")
			if bytes.Equal(back, bootSector()) == d.ReadOnly {
				t.Errorf("the second sector begins with % x", back[:min(8, len(back))])
			}
		})
	}
}

// wait asks for the first disk's counts until they are as wished. With calm it
// asks until the disk was read and then for a second more.
func (l *live) wait(within time.Duration, ok func(qmp.DiskStats) bool, calm bool) bool {
	l.t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		disks, err := l.qmp.QueryDisks(l.t.Context())
		if err != nil || len(disks) == 0 {
			l.t.Fatal(disks, err)
		}
		if ok(disks[0]) {
			return true
		}
		if calm && disks[0].Reads > 0 {
			calm, end = false, time.Now().Add(time.Second)
		}
	}
	return false
}

// QEMU has no read-only ahci disk, which is why QEMURefuses says so.
func TestReadOnlyAHCIIsRefused(t *testing.T) {
	qemu := needQEMU(t)
	c := testCells()["hello"]
	c.Disks = []cell.Disk{{Label: "d", File: "f", Model: "ahci", ReadOnly: true}}
	if len(hypervisor.QEMURefuses(c)) != 1 {
		t.Error("QEMURefuses does not say so")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, qemu, "-nodefaults", "-display", "none", "-machine", "q35", "-S",
		"-blockdev", "driver=file,node-name=d,read-only=on,filename="+scratch(t, "d", 1<<20), "-device", "ide-hd,drive=d,bus=ide.0").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "read-only") {
		t.Errorf("QEMU took it: %v: %s", err, out)
	}
}

// A Linux kernel boots directly, sees its command line and its processors, and
// its panic, for want of a root, ends in a reset that is seen as one.
func TestKernel(t *testing.T) {
	c := testCells()["kernel"]
	c.Screen = nil
	c.Kernel.Cmdline = "console=ttyS0 panic=-1 skep.test=a,b"
	l := start(t, c, cell.AccelTCG, behind(t, c))
	if err := l.qmp.Cont(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.wantText("Linux version", 30*time.Second)
	l.wantText("panic=-1 skep.test=a,b", 30*time.Second)
	l.wantText("Total of 2 processors activated", 60*time.Second)
	l.wantText("Kernel panic", 60*time.Second)
	if end := l.judge(cell.AccelTCG); end.Kind != hypervisor.EndReset {
		t.Errorf("%+v, want a reset", end)
	}
}

// The UEFI shell comes up, takes orders on the console, and resets; the
// variables survive in the cell's own file.
func TestUEFI(t *testing.T) {
	c := testCells()["disks"]
	c.Disks = nil
	in := behind(t, c)
	before, err := os.ReadFile(in.flashVars)
	if err != nil {
		t.Fatal(err)
	}
	l := start(t, c, cell.AccelTCG, in)
	if err := l.qmp.Cont(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l.wantOne(90*time.Second, "Shell> ", noShell) == noShell {
		t.Skip("this OVMF has no shell: " + noShell)
	}
	l.send("set skep hive\rset skep\r")
	l.wantText("skep = hive", 20*time.Second)
	l.send("reset -s\r")
	if end := l.judge(cell.AccelTCG); end.Kind != hypervisor.EndPowerOff {
		t.Errorf("%+v, want a power-off", end)
	}
	if err := l.quit(); err != nil {
		t.Error(err)
	}
	after, err := os.ReadFile(in.flashVars)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(before, after) {
		t.Error("the variables were not written")
	}
}
