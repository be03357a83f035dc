package hypervisor_test

import (
	"os"
	"path/filepath"
	"testing"

	"skep/internal/cell"
)

// The cells that the tests of this package go through.
func testCells() map[string]*cell.Cell {
	base := func(name string, change func(*cell.Cell)) *cell.Cell {
		c := &cell.Cell{Name: name, CPUs: 1, Memory: 64 * cell.MiB, Boot: cell.Boot{Kind: cell.BootHello}, Accel: cell.AccelAuto}
		change(c)
		return c
	}
	return map[string]*cell.Cell{
		"hello": base("hello", func(c *cell.Cell) {}),
		"article": base("laptop-dev-03", func(c *cell.Cell) {
			c.CPUs, c.Memory, c.Boot.Kind = 4, cell.GiB, cell.BootUEFI
			c.Disks = []cell.Disk{{Label: "disk-01", Zvol: "tank/bhyve/laptop-dev-03/disk-01", Model: "virtio"}}
			c.NICs = []cell.NIC{{Label: "lan", Bridge: "bridge0", MAC: "02:00:5e:10:00:01", Model: "virtio"}}
			c.Screen = &cell.Screen{Listen: "192.168.1.2:5901", Width: 1024, Height: 768}
		}),
		"disks": base("disks", func(c *cell.Cell) {
			c.Boot.Kind, c.Memory = cell.BootUEFI, 256*cell.MiB
			c.Disks = []cell.Disk{
				{Label: "raw", File: "/srv/raw.img", Format: cell.FormatRaw, Model: "virtio"},
				{Label: "cow", File: "/srv/cow.qcow2", Format: cell.FormatQcow2, Model: "nvme"},
				{Label: "ro", File: "/srv/ro.qcow2", Format: cell.FormatQcow2, ReadOnly: true, Model: "virtio"},
				{Label: "sata", File: "/srv/sata.img", Model: "ahci"},
				{Label: "cd", ISO: "/srv/cd.iso", Model: "virtio"},
				{Label: "a-label-of-more-than-20-letters", File: "/srv/long.img", ReadOnly: true, Model: "nvme"},
			}
		}),
		"many-sata": base("many-sata", func(c *cell.Cell) {
			for _, l := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
				c.Disks = append(c.Disks, cell.Disk{Label: l, File: "/srv/" + l, Model: "ahci"})
			}
		}),
		"nics": base("nics", func(c *cell.Cell) {
			c.NICs = []cell.NIC{
				{Label: "lan", Tap: "tap0", MAC: "02:00:5e:10:00:02", Model: "virtio"},
				{Label: "old", Bridge: "bridge1", MAC: "02:00:5e:10:00:03", Model: "e1000"},
			}
		}),
		"kernel": base("kernel", func(c *cell.Cell) {
			c.Boot.Kind, c.Memory, c.CPUs = cell.BootKernel, 256*cell.MiB, 2
			c.Kernel = &cell.Kernel{Image: "/boot/vmlinuz", Initrd: "/boot/initrd.img", Cmdline: "console=ttyS0 root=/dev/vda1,x=y"}
			c.Screen = &cell.Screen{Width: 800, Height: 600}
		}),
		"screen": base("screen", func(c *cell.Cell) {
			c.Boot.Kind, c.Memory = cell.BootUEFI, 128*cell.MiB
			c.Screen = &cell.Screen{Width: 1280, Height: 720, PasswordFile: "/etc/skep/screen.pw"}
		}),
		"firmware": base("firmware", func(c *cell.Cell) {
			c.Boot = cell.Boot{Kind: cell.BootFirmware, Path: "/srv/bios.bin"}
			c.Screen = &cell.Screen{Width: 640, Height: 480}
		}),
		"bios": base("bios", func(c *cell.Cell) {
			c.Boot.Kind, c.Memory = cell.BootBIOS, 64*cell.MiB
			c.Screen = &cell.Screen{Width: 640, Height: 480}
			c.Disks = []cell.Disk{{Label: "root", File: "/srv/root.img", Format: cell.FormatRaw, Model: "virtio"}}
		}),
		"posing": base("posing", func(c *cell.Cell) {
			c.Boot.Kind, c.Memory = cell.BootUEFI, 128*cell.MiB
			c.Identity = &cell.Identity{Manufacturer: "Example Inc.", Product: "Desktop 5", Serial: "EX-1", UUID: "5ed0a5f2-0d5c-4c1b-9b5e-2f6d6c1d7a10",
				DiskSerial: "D-7", MACOUI: "00:1b:21", CPUName: "Example CPU 3000"}
			c.Clock = &cell.Clock{Start: "2026-01-02T03:04:05Z"}
			c.Disks = []cell.Disk{
				{Label: "one", File: "/srv/one.img", Format: cell.FormatRaw, Model: "virtio"},
				{Label: "two", File: "/srv/two.img", Format: cell.FormatRaw, Model: "ahci"},
			}
		}),
		"relaxed": base("relaxed", func(c *cell.Cell) {
			c.GDB = &cell.GDB{Listen: "127.0.0.1:1234"}
			c.Hypervisor.Args = []string{"-rtc", "base=localtime"}
		}),
	}
}

// scratch is a file of zeros that is gone after the test.
func scratch(t *testing.T, name string, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return path
}

// copyOf copies a file of the host that the guest will write.
func copyOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Skip(err)
	}
	to := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}
