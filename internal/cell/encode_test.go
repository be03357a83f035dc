package cell_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	. "skep/internal/cell"
	"skep/internal/cellfile"
)

// TestEncode: what is written of a cell is read as the same cell.
func TestEncode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyCell(t)
		src := cellfile.Encode(want)
		got, diags := Parse("/cells/any.hcl", src)
		if diags != nil {
			var b strings.Builder
			diags.Render(&b, src)
			t.Fatalf("%s\n%s", &b, src)
		}
		if d := cmp.Diff(want, got, cmpopts.IgnoreFields(Cell{}, "File", "Sources")); d != "" {
			t.Fatalf("%s\n%s", d, src)
		}
		formatted, diags := cellfile.Format("any", src)
		if diags != nil || string(formatted) != string(src) {
			t.Fatalf("not formatted: %v\n%s", diags, cmp.Diff(string(src), string(formatted)))
		}
	})
}

func TestEncodeShort(t *testing.T) {
	c, diags := Parse("x.hcl", []byte("cell \"x\" {\nnic \"lan\" { bridge = \"bridge0\" }\njail {\nlimits { cpu = \"50%\" }\n}\ncpus = 2\nmemory = \"64M\"\n}"))
	if diags != nil {
		t.Fatal(diags)
	}
	want := `cell "x" {
  cpus = 2
  nic "lan" {
    bridge = "bridge0"
  }
  jail {
    limits {
      cpu = "50%"
    }
  }
}
`
	if d := cmp.Diff(want, string(cellfile.Encode(c))); d != "" {
		t.Error(d)
	}
}

var (
	anyName      = rapid.StringMatching(`[A-Za-z][A-Za-z0-9_-]{0,31}`)
	anyInterface = rapid.StringMatching(`[a-z][a-z0-9._-]{0,14}`)
	anyPath      = rapid.StringMatching(`(/[a-zA-Z0-9%_${}" \\é#]{1,8}x){1,4}`)
	anyLine      = rapid.StringMatching(`[ -~é日]{1,20}`)
	anyIP4       = rapid.SampledFrom([]string{"192.0.2.1", "10.0.0.1/8", "127.0.0.1"})
	anyIP6       = rapid.SampledFrom([]string{"2001:db8::1", "fd00::1/64", "::1"})
	anyListen    = rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("%s:%d", rapid.SampledFrom([]string{"0.0.0.0", "192.0.2.9", "[::1]"}).Draw(t, "host"), rapid.IntRange(1, 65535).Draw(t, "port"))
	})
)

func sizes(low, high, unit Size) *rapid.Generator[Size] {
	return rapid.Custom(func(t *rapid.T) Size {
		return Size(rapid.Int64Range(int64(low/unit), int64(high/unit)).Draw(t, "size")) * unit
	})
}

func perhaps[V any](t *rapid.T, name string, g *rapid.Generator[V]) (v V) {
	if rapid.Bool().Draw(t, "has "+name) {
		v = g.Draw(t, name)
	}
	return v
}

// anyCell is any valid cell.
func anyCell(t *rapid.T) *Cell {
	c := Fresh()
	c.Name = anyName.Draw(t, "name")
	c.CPUs = rapid.IntRange(1, MaxCPUs).Draw(t, "cpus")
	c.Memory = perhaps(t, "memory", sizes(MiB, 64*TiB, MiB))
	c.Accel = rapid.SampledFrom([]Accel{AccelAuto, AccelKVM, AccelTCG}).Draw(t, "accel")
	c.Start = rapid.SampledFrom([]Start{StartManual, StartBoot}).Draw(t, "start")
	c.Restart = rapid.SampledFrom([]Restart{RestartNever, RestartOnCrash, RestartAlways}).Draw(t, "restart")
	c.After = without(c.Name, rapid.SliceOfDistinct(anyName, rapid.ID[string]).Draw(t, "after"))
	c.StopTimeout = time.Duration(rapid.IntRange(1, 3600).Draw(t, "stop_timeout")) * time.Second
	c.Evidence = rapid.Bool().Draw(t, "evidence")
	c.OnEvent = perhaps(t, "on_event", anyPath)
	c.TimeLimit = perhaps(t, "time_limit", rapid.Map(rapid.IntRange(1, 100000), func(n int) time.Duration { return time.Duration(n) * time.Second }))
	c.RestartMax = RestartMax{rapid.IntRange(1, 1000).Draw(t, "starts"), time.Duration(rapid.IntRange(1, 1000).Draw(t, "within")) * time.Second}
	anyBoot(t, &c)
	used := map[string]bool{}
	for _, label := range rapid.SliceOfNDistinct(anyName, 0, 4, rapid.ID[string]).Draw(t, "disks") {
		if d := anyDisk(t, label); !used[d.File+d.Zvol+d.ISO+d.Device] {
			used[d.File+d.Zvol+d.ISO+d.Device] = true
			c.Disks = append(c.Disks, d)
		}
	}
	anyNetwork(t, &c)
	for _, label := range rapid.SliceOfNDistinct(anyName, 0, 2, rapid.ID[string]).Draw(t, "shares") {
		c.Shares = append(c.Shares, Share{label, anyPath.Draw(t, "path"), rapid.Bool().Draw(t, "read_only")})
	}
	for i, label := range rapid.SliceOfNDistinct(anyName, 0, 2, rapid.ID[string]).Draw(t, "passthru") {
		c.Passthru = append(c.Passthru, Passthru{label, fmt.Sprintf("%d/0/7", i)})
	}
	anyJail(t, &c)
	if rapid.Bool().Draw(t, "screen") {
		c.Screen = &Screen{Width: rapid.IntRange(640, 3840).Draw(t, "width"), Height: rapid.IntRange(480, 2160).Draw(t, "height"),
			PasswordFile: perhaps(t, "password_file", anyPath), Wait: rapid.Bool().Draw(t, "wait")}
		if c.Jail.Network != NetworkShared {
			c.Screen.Listen = perhaps(t, "listen", anyListen)
		}
	}
	if rapid.Bool().Draw(t, "identity") {
		c.Identity = &Identity{Manufacturer: "Example Inc.", Serial: "1", MACOUI: "00:1b:21", DiskSerial: "D"}
		c.Clock = &Clock{Start: "2026-01-02T03:04:05Z"}
	}
	if c.Jail.Network != NetworkShared && rapid.Bool().Draw(t, "gdb") {
		c.GDB = &GDB{Listen: "127.0.0.1:1", Wait: rapid.Bool().Draw(t, "wait")}
	}
	c.Console = Console{sizes(4*KiB, GiB, KiB).Draw(t, "log_size"), perhaps(t, "device", rapid.StringMatching(`/dev/nmdm[a-z0-9-]{1,9}A`))}
	c.Hypervisor.Args = rapid.SliceOfN(anyLine, 0, 3).Draw(t, "args")
	if len(c.Hypervisor.Args) == 0 {
		c.Hypervisor.Args = nil
	}
	Complete(&c)
	return &c
}

func anyBoot(t *rapid.T, c *Cell) {
	switch c.Boot.Kind = rapid.SampledFrom([]BootKind{BootHello, BootUEFI, BootFirmware, BootKernel, BootLoader}).Draw(t, "boot"); c.Boot.Kind {
	case BootFirmware:
		c.Boot.Path = anyPath.Draw(t, "firmware")
	case BootKernel:
		c.Kernel = &Kernel{anyPath.Draw(t, "image"), perhaps(t, "initrd", anyPath), perhaps(t, "cmdline", anyLine)}
	case BootLoader:
		c.Boot.Loader = &Loader{OS: perhaps(t, "os", anyPath), HostPath: perhaps(t, "host_path", anyPath), Env: perhaps(t, "env", rapid.Just([]string{"a=b", "c="}))}
	}
}

func anyDisk(t *rapid.T, label string) Disk {
	d := Disk{Label: label, Model: perhaps(t, "model", rapid.SampledFrom([]string{"virtio", "ahci", "nvme"}))}
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		d.File, d.Format = anyPath.Draw(t, "file"), perhaps(t, "format", rapid.SampledFrom([]DiskFormat{FormatRaw, FormatQcow2}))
		d.Size = perhaps(t, "size", sizes(MiB, 1024*TiB, MiB))
	case 1:
		d.Zvol = rapid.StringMatching(`[a-z][a-z0-9_.:-]{0,9}(/[a-z0-9_:-]{1,9}){1,3}`).Draw(t, "zvol")
		d.Size = perhaps(t, "size", sizes(MiB, 1024*TiB, MiB))
		d.Reserved = d.Size != 0 && rapid.Bool().Draw(t, "reserved")
	case 2:
		d.ISO = anyPath.Draw(t, "iso")
	case 3:
		d.Device = "/dev" + anyPath.Draw(t, "device")
	}
	d.ReadOnly = d.Size == 0 && rapid.Bool().Draw(t, "read_only")
	return d
}

func anyNetwork(t *rapid.T, c *Cell) {
	for i, label := range rapid.SliceOfNDistinct(anyName, 0, 3, rapid.ID[string]).Draw(t, "nics") {
		n := NIC{Label: label, Model: rapid.SampledFrom([]string{"virtio", "e1000"}).Draw(t, "model")}
		if rapid.Bool().Draw(t, "tap") {
			n.Tap = fmt.Sprintf("tap%d", i)
		} else {
			n.Bridge = anyInterface.Draw(t, "bridge")
			n.VLAN, n.Isolated = perhaps(t, "vlan", rapid.IntRange(1, 4094)), rapid.Bool().Draw(t, "isolated")
			n.RateIn = perhaps(t, "rate_in", rapid.Just(10*MiB))
			if rapid.Bool().Draw(t, "bridge block") && !hasBridge(c, n.Bridge) {
				b := Bridge{Name: n.Bridge, Create: rapid.Bool().Draw(t, "create")}
				if b.Create {
					b.Uplink = perhaps(t, "uplink", rapid.Just(fmt.Sprintf("em%d", i)))
				}
				c.Bridges = append(c.Bridges, b)
			}
		}
		n.MAC = perhaps(t, "mac", rapid.Just(fmt.Sprintf("02:00:00:00:00:%02x", i)))
		c.NICs = append(c.NICs, n)
	}
}

func anyJail(t *rapid.T, c *Cell) {
	c.Jail.Network = rapid.SampledFrom([]Network{NetworkNone, NetworkShared, NetworkVnet}).Draw(t, "network")
	if c.Jail.Network == NetworkShared {
		c.Jail.IP4 = []string{anyIP4.Draw(t, "ip4")}
		c.Jail.IP6 = perhaps(t, "ip6", rapid.SliceOfNDistinct(anyIP6, 1, 3, rapid.ID[string]))
	}
	c.Jail.Root = perhaps(t, "root", anyPath)
	c.Jail.AllowMissing = perhaps(t, "allow_missing", rapid.Just([]string{"landlock"}))
	c.Jail.Limits.MemoryOverhead = sizes(16*MiB, TiB, MiB).Draw(t, "memory_overhead")
	c.Jail.Limits.Processes = perhaps(t, "processes", rapid.IntRange(c.CPUs+8, 100_000))
	c.Jail.Limits.OpenFiles = perhaps(t, "open_files", rapid.IntRange(32, 1_000_000))
	c.Jail.Limits.CPU = perhaps(t, "cpu", rapid.IntRange(1, 25500))
}

func hasBridge(c *Cell, name string) bool {
	for _, b := range c.Bridges {
		if b.Name == name {
			return true
		}
	}
	return false
}

func without(name string, names []string) (rest []string) {
	for _, n := range names {
		if n != name {
			rest = append(rest, n)
		}
	}
	return rest
}
