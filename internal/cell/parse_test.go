package cell

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// in parses the body of a cell.
func in(body string) (*Cell, Diagnostics) {
	return Parse("/cells/x.hcl", []byte("cell \"x\" {\n"+body+"\n}\n"))
}

func TestDefaults(t *testing.T) {
	c, diags := Parse("/cells/x.hcl", []byte(`cell "x" {}`))
	if diags != nil {
		t.Fatal(diags)
	}
	want := &Cell{
		Name: "x", CPUs: 1, Memory: 64 * MiB, Boot: Boot{Kind: BootHello}, Accel: AccelAuto,
		Console: Console{LogSize: MiB},
		Jail: Jail{Network: NetworkNone, Limits: Limits{
			MemoryOverhead: 256 * MiB, Processes: 81, OpenFiles: 258,
		}},
		Start: StartManual, Restart: RestartNever, StopTimeout: 30 * time.Second,
		RestartMax: RestartMax{Starts: 5, Within: 10 * time.Minute},
		File:       "/cells/x.hcl",
		Sources:    map[string]Pos{"cell": {"/cells/x.hcl", 1, 1}},
	}
	if d := cmp.Diff(want, c); d != "" {
		t.Error(d)
	}
}

func TestHello(t *testing.T) {
	want, _ := Parse("", []byte(`cell "hello" {}`))
	want.Sources = nil
	if d := cmp.Diff(want, Hello()); d != "" {
		t.Error(d)
	}
}

// TestAccepted holds one thing that a cell file may say in each line, and what
// the cell then is.
func TestAccepted(t *testing.T) {
	for body, check := range map[string]func(*Cell) bool{
		`cpus = 255`:                   func(c *Cell) bool { return c.CPUs == 255 },
		`cpus = (2)`:                   func(c *Cell) bool { return c.CPUs == 2 },
		`memory = "16G"`:               func(c *Cell) bool { return c.Memory == 16*GiB },
		`memory = "2048k"`:             func(c *Cell) bool { return c.Memory == 2*MiB },
		`boot = "hello"`:               func(c *Cell) bool { return c.Boot.Kind == BootHello && c.Memory == 64*MiB },
		`boot = "uefi"`:                func(c *Cell) bool { return c.Boot.Kind == BootUEFI && c.Memory == 512*MiB },
		`boot = "loader"`:              func(c *Cell) bool { return c.Boot.Kind == BootLoader && c.Boot.Loader != nil },
		`boot = "fw/OVMF.fd"`:          func(c *Cell) bool { return c.Boot == Boot{Kind: BootFirmware, Path: "/cells/fw/OVMF.fd"} },
		`boot = "/x/../fw"`:            func(c *Cell) bool { return c.Boot.Path == "/fw" },
		`boot = "./uefi"`:              func(c *Cell) bool { return c.Boot.Path == "/cells/uefi" },
		`kernel { image = "vmlinuz" }`: func(c *Cell) bool { return c.Boot.Kind == BootKernel && c.Kernel.Image == "/cells/vmlinuz" },
		`accel = "tcg"`:                func(c *Cell) bool { return c.Accel == AccelTCG },
		`start = "boot"`:               func(c *Cell) bool { return c.Start == StartBoot },
		`after = ["a", "b"]`:           func(c *Cell) bool { return len(c.After) == 2 },
		`restart = "always"`:           func(c *Cell) bool { return c.Restart == RestartAlways },
		`stop_timeout = "1h"`:          func(c *Cell) bool { return c.StopTimeout == time.Hour },
		`time_limit = "5m"`:            func(c *Cell) bool { return c.TimeLimit == 5*time.Minute },
		`stop_timeout = "1m30s"`:       func(c *Cell) bool { return c.StopTimeout == 90*time.Second },
		`restart_limit { starts = 3 }`: func(c *Cell) bool { return c.RestartMax == RestartMax{3, 10 * time.Minute} },
		`disk "d" { file = "d.img" }`: func(c *Cell) bool {
			return c.Disks[0] == Disk{Label: "d", File: "/cells/d.img", Format: FormatRaw, Model: "virtio"}
		},
		`disk "d" { iso = "../d.iso" }`: func(c *Cell) bool {
			return c.Disks[0] == Disk{Label: "d", ISO: "/d.iso", ReadOnly: true, Model: "ahci"}
		},
		`disk "d" { device = "/dev/ada1" }`:     func(c *Cell) bool { return c.Disks[0].Device == "/dev/ada1" },
		`disk "d" { zvol = "tank/vm/a-b_c.d" }`: func(c *Cell) bool { return c.Disks[0].Zvol == "tank/vm/a-b_c.d" },
		"disk \"d\" {\nfile = \"d\"\nformat = \"qcow2\"\nsize = \"1G\"\nmodel = \"nvme\"\n}": func(c *Cell) bool {
			return c.Disks[0] == Disk{Label: "d", File: "/cells/d", Format: FormatQcow2, Size: GiB, Model: "nvme"}
		},
		"disk \"d\" {\nzvol = \"t/d\"\nsize = \"1G\"\nreserved = true\n}": func(c *Cell) bool { return c.Disks[0].Reserved },
		"disk \"d\" {\nfile = \"d\"\nread_only = true\n}":                 func(c *Cell) bool { return c.Disks[0].ReadOnly },
		`nic "n" { bridge = "bridge0" }`:                                  func(c *Cell) bool { return c.NICs[0].MAC == defaultMAC("x", "n") && c.NICs[0].Model == "virtio" },
		`nic "n" { tap = "tap0" }`:                                        func(c *Cell) bool { return c.NICs[0].Tap == "tap0" },
		"nic \"n\" {\ntap = \"tap0\"\nmac = \"02-AB-cd-00-00-01\"\n}":     func(c *Cell) bool { return c.NICs[0].MAC == "02:ab:cd:00:00:01" },
		"nic \"n\" { bridge = \"br0.5\" }\nbridge \"br0.5\" {\ncreate = true\nuplink = \"em0\"\n}": func(c *Cell) bool {
			return c.Bridges[0] == Bridge{"br0.5", true, "em0"}
		},
		`share "s" { path = "pub" }`:                                 func(c *Cell) bool { return c.Shares[0].Path == "/cells/pub" },
		`passthru "p" { pci = "3/0/1" }`:                             func(c *Cell) bool { return c.Passthru[0].PCI == "3/0/1" },
		`screen {}`:                                                  func(c *Cell) bool { return *c.Screen == Screen{Width: 1024, Height: 768} },
		`screen { listen = "[::1]:5900" }`:                           func(c *Cell) bool { return c.Screen.Listen == "[::1]:5900" },
		"screen {\nlisten = \"0.0.0.0:1\"\nwait = true\n}":           func(c *Cell) bool { return c.Screen.Wait },
		`console { device = "/dev/nmdm-x-A" }`:                       func(c *Cell) bool { return c.Console.Device == "/dev/nmdm-x-A" },
		`console { log_size = "4K" }`:                                func(c *Cell) bool { return c.Console.LogSize == 4*KiB },
		`clock { offset = "-72h" }`:                                  func(c *Cell) bool { return c.ClockAt(time.Unix(1e9, 0)).Clock.Start == "2001-09-06T01:46:40Z" },
		`clock { start = "2031-01-02T05:04:05+02:00" }`:              func(c *Cell) bool { return c.Clock.Start == "2031-01-02T03:04:05Z" },
		`identity { uuid = "5ED0A5F2-0D5C-4C1B-9B5E-2F6D6C1D7A10" }`: func(c *Cell) bool { return c.Identity.UUID == "5ed0a5f2-0d5c-4c1b-9b5e-2f6d6c1d7a10" },
		`identity { mac_oui = "00:1B:21" }`:                          func(c *Cell) bool { return c.Identity.MACOUI == "00:1b:21" },
		`gdb { listen = "127.0.0.1:1234" }`:                          func(c *Cell) bool { return c.GDB.Listen == "127.0.0.1:1234" },
		`jail { network = "vnet" }`:                                  func(c *Cell) bool { return c.Jail.Network == NetworkVnet },
		`jail { root = "/usr/jails/x" }`:                             func(c *Cell) bool { return c.Jail.Root == "/usr/jails/x" },
		`jail { allow_missing = ["landlock"] }`:                      func(c *Cell) bool { return c.Jail.AllowMissing[0] == "landlock" },
		"jail {\nnetwork = \"shared\"\nip4 = [\"192.0.2.1/24\"]\n}":  func(c *Cell) bool { return c.Jail.IP4[0] == "192.0.2.1/24" },
		"jail {\nnetwork = \"shared\"\nip6 = [\"2001:db8::1\"]\n}":   func(c *Cell) bool { return c.Jail.IP6[0] == "2001:db8::1" },
		"jail {\nlimits {\ncpu = \"150%\"\n}\n}":                     func(c *Cell) bool { return c.Jail.Limits.CPU == 150 },
		"jail {\nlimits {\nprocesses = 20\nopen_files = 64\n}\n}":    func(c *Cell) bool { return c.Jail.Limits.Processes == 20 && c.Jail.Limits.OpenFiles == 64 },
		`hypervisor { args = ["-device", "a,b"] }`:                   func(c *Cell) bool { return len(c.Hypervisor.Args) == 2 },
		"boot = \"loader\"\nloader { env = [\"a=b=c\"] }":            func(c *Cell) bool { return c.Boot.Kind == BootLoader && c.Boot.Loader.Env[0] == "a=b=c" },
	} {
		c, diags := in(body)
		if diags != nil {
			t.Errorf("%s\n%v", body, diags)
		} else if !check(c) {
			t.Errorf("%s\n%+v", body, c)
		}
	}
}

func TestSources(t *testing.T) {
	c, diags := in("  cpus = 2\n  disk \"d\" {\n    file = \"é\"\n  }\n  jail {\n    limits { cpu = \"1%\" }\n  }")
	if diags != nil {
		t.Fatal(diags)
	}
	for path, want := range map[string]string{
		"cell": "1:1", "cpus": "2:10", "disk.d": "3:3", "disk.d.file": "4:12",
		"jail": "6:3", "jail.limits": "7:5", "jail.limits.cpu": "7:20",
	} {
		if p, ok := c.Where(path); !ok || p.String() != "/cells/x.hcl:"+want {
			t.Errorf("%s is at %v, want %s", path, p, want)
		}
	}
	if len(c.Sources) != 7 {
		t.Errorf("more sources than the file says: %v", c.Sources)
	}
	if _, ok := c.Where("memory"); ok {
		t.Error("a default has a place")
	}
}

// TestRelativeName is about a file that is named by a relative path.
func TestRelativeName(t *testing.T) {
	c, diags := Parse("cells/x.hcl", []byte("cell \"x\" {\n  disk \"d\" { file = \"../d.img\" }\n}"))
	if diags != nil || c.Disks[0].File != "d.img" {
		t.Error(c, diags)
	}
}

// TestEditors is about what editors of other systems leave in a file.
func TestEditors(t *testing.T) {
	for _, src := range []string{
		"\xef\xbb\xbfcell \"x\" {\r\n  cpus = 2\r\n}\r\n",
		"cell \"x\" {\n\n\n# é\n// c\n/* d */\n cpus = 2\n}",
	} {
		c, diags := Parse("x", []byte(src))
		if diags != nil || c.CPUs != 2 {
			t.Errorf("%q: %v", src, diags)
		}
	}
	_, diags := Parse("x", []byte("\xef\xbb\xbfcell \"x\" {\r\n  cpus = 0\r\n}\r\n"))
	var b strings.Builder
	diags.Render(&b, []byte("\xef\xbb\xbfcell \"x\" {\r\n  cpus = 0\r\n}\r\n"))
	if want := "skep: error: x:2:10: invalid cpus 0: must be at least 1\n    2 |   cpus = 0\n      |          ^\n"; b.String() != want {
		t.Errorf("%s", b.String())
	}
}

// What a hypervisor needs for each processor is within the limits of itself.
func TestOverheadFollowsProcessors(t *testing.T) {
	for cpus, want := range map[int]Size{1: 256 * MiB, 64: 256 * MiB, 65: 260 * MiB, 255: 1020 * MiB} {
		c, diags := Options{}.Parse("x.hcl", fmt.Appendf(nil, "cell \"x\" {\n  cpus = %d\n}\n", cpus))
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		if got := c.Jail.Limits.MemoryOverhead; got != want {
			t.Errorf("%d processors: %s, want %s", cpus, got, want)
		}
	}
}
