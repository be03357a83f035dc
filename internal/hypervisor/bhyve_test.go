package hypervisor_test

import (
	"strings"
	"testing"

	"skep/internal/cell"
	"skep/internal/hypervisor"
)

// bhyveCells adds to testCells what only bhyve has.
func bhyveCells() map[string]*cell.Cell {
	cells := testCells()
	delete(cells, "kernel") // bhyve boots neither
	delete(cells, "bios")
	cells["loader"] = &cell.Cell{Name: "fbsd", CPUs: 2, Memory: 512 * cell.MiB,
		Boot:    cell.Boot{Kind: cell.BootLoader, Loader: &cell.Loader{Env: []string{"boot_verbose=YES", "kernel=a b"}, OS: "/boot/userboot_4th.so"}},
		Disks:   []cell.Disk{{Label: "root", File: "/srv/root.img", Model: "ahci"}, {Label: "cd", ISO: "/srv/cd.iso", Model: "virtio"}},
		NICs:    []cell.NIC{{Label: "lan", Tap: "tap0", MAC: "02:00:5e:10:00:09", Model: "e1000"}},
		Console: cell.Console{Device: "/dev/nmdm-fbsd-A"}}
	cells["everything"] = &cell.Cell{Name: "all", CPUs: 1, Memory: 100*cell.MiB + 1, Boot: cell.Boot{Kind: cell.BootUEFI},
		Screen:   &cell.Screen{Width: 800, Height: 600, PasswordFile: "/etc/pw", Wait: true},
		GDB:      &cell.GDB{Listen: "127.0.0.1:1234", Wait: true},
		Shares:   []cell.Share{{Label: "src", Path: "/usr/src", ReadOnly: true}, {Label: "obj", Path: "/usr/obj"}},
		Passthru: []cell.Passthru{{Label: "nic", PCI: "2/0/0"}},
		Disks:    []cell.Disk{{Label: "nvme", Zvol: "tank/v", Model: "nvme", ReadOnly: true}}}
	return cells
}

func bhyveInput(c *cell.Cell) hypervisor.BhyveInput {
	in := hypervisor.BhyveInput{Firmware: "/firmware.fd", Console: "/dev/nmdm-" + c.Name + "A",
		Disks: map[string]string{}, Taps: map[string]string{}, Shares: map[string]string{}}
	for _, d := range c.Disks {
		in.Disks[d.Label] = "/disk/" + d.Label
	}
	for i, n := range c.NICs {
		in.Taps[n.Label] = "tap" + string(rune('0'+i))
	}
	for _, s := range c.Shares {
		in.Shares[s.Label] = "/share/" + s.Label
	}
	if c.Screen != nil {
		in.ScreenAddress = "192.168.1.2:5901"
	}
	return in
}

func TestBhyveGolden(t *testing.T) {
	for name, c := range bhyveCells() {
		t.Run(name, func(t *testing.T) {
			in := bhyveInput(c)
			in.ACPI, in.TablesOption = c.Boot.Kind != cell.BootHello, true
			if name == "everything" {
				in.MonitorMode, in.VNCUnix, in.Random = true, true, true
				in.ScreenSocket, in.ConfigFile, in.FirmwareRW = "/run/vnc", "/bhyve.conf", "/vars.fd"
			}
			text := render(hypervisor.BhyveOptions(c, in))
			if c.Boot.Kind == cell.BootLoader {
				text += "\nbhyveload\n" + render(hypervisor.BhyveloadOptions(c, in))
			}
			golden(t, "bhyve-"+name+".txt", text)
		})
	}
}

// The name comes last, whatever the cell file adds.
func TestBhyveNameIsLast(t *testing.T) {
	c := testCells()["relaxed"]
	args := hypervisor.BhyveArgs(c, bhyveInput(c))
	if args[len(args)-1] != c.Name {
		t.Errorf("%q", args)
	}
}

// The article's own line, with the slots that vmrun.sh gives its devices.
func TestBhyveHasTheSlotsOfVmrun(t *testing.T) {
	c := testCells()["article"]
	line := strings.Join(hypervisor.BhyveArgs(c, bhyveInput(c)), " ")
	for _, want := range []string{"-s 0:0,hostbridge", "-s 31:0,lpc", "-s 2:0,virtio-net,tap0,", "-s 3:0,virtio-blk,/disk/disk-01", "-s 29:0,fbuf,tcp=192.168.1.2:5901,w=1024,h=768", "-l bootrom,/firmware.fd"} {
		if !strings.Contains(line, want) {
			t.Errorf("no %q in %s", want, line)
		}
	}
}

func TestBhyvePasswordIsInTheFileAlone(t *testing.T) {
	c := bhyveCells()["everything"]
	if got, want := hypervisor.BhyveConfig(c, "50%(x)"), "pci.0.29.0.password=50%%(x)\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if hypervisor.BhyveConfig(testCells()["hello"], "x") != "" {
		t.Error("a password without a screen")
	}
	if line := strings.Join(hypervisor.BhyveArgs(c, bhyveInput(c)), " "); strings.Contains(line, "password") {
		t.Error(line)
	}
}

// A screen that nobody gave a place stops the start.
func TestBhyveScreenNowhere(t *testing.T) {
	c := testCells()["article"]
	in := bhyveInput(c)
	in.ScreenAddress = ""
	if line := strings.Join(hypervisor.BhyveArgs(c, in), " "); !strings.Contains(line, "fbuf,tcp=nowhere:,") {
		t.Error(line)
	}
}

// As many devices as fit have places of their own, and none of another's.
func TestBhyvePlaces(t *testing.T) {
	c := testCells()["hello"]
	for range hypervisor.BhyveDevicesMax {
		c.Disks = append(c.Disks, cell.Disk{Label: "d", Model: "virtio"})
	}
	if r := hypervisor.BhyveRefuses(c); len(r) != 0 {
		t.Errorf("%+v", r)
	}
	seen := map[string]bool{}
	for _, a := range hypervisor.BhyveArgs(c, bhyveInput(c)) {
		place, device, ok := strings.Cut(a, ",")
		if !ok || !strings.Contains(place, ":") {
			continue
		}
		if seen[place] {
			t.Errorf("%s is taken twice, by %s", place, device)
		}
		seen[place] = true
	}
	if len(seen) != hypervisor.BhyveDevicesMax+2 {
		t.Errorf("%d places", len(seen))
	}
	c.Disks = append(c.Disks, cell.Disk{Label: "one more"})
	if r := hypervisor.BhyveRefuses(c); len(r) != 1 {
		t.Errorf("%+v", r)
	}
}

func TestRefusals(t *testing.T) {
	sources := func(list []hypervisor.Refusal) string {
		var s []string
		for _, r := range list {
			if !strings.HasPrefix(r.Text, "cannot ") || r.Hint == "" {
				t.Errorf("%+v", r)
			}
			s = append(s, r.Source)
		}
		return strings.Join(s, " ")
	}
	everything := bhyveCells()["everything"]
	if got, want := sources(hypervisor.QEMURefuses(everything)), "share.src share.obj passthru.nic screen.wait"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := sources(hypervisor.QEMURefuses(bhyveCells()["loader"])), "boot console.device"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := sources(hypervisor.BhyveRefuses(testCells()["disks"])), "disk.cow disk.ro"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := sources(hypervisor.BhyveRefuses(testCells()["kernel"])), "kernel"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	small := &cell.Cell{Accel: cell.AccelTCG, Screen: &cell.Screen{Width: 320, Height: 200}}
	if got, want := sources(hypervisor.BhyveRefuses(small)), "accel screen"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
