package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
)

// The command line of 2018, as it stands in the article, without the ssh and
// the jexec in front of it.
var articleLine = strings.Fields("-c 4 -m 16g -t tap0 -C /dev/nmdm-laptop-dev-03-A" +
	" -d /dev/zvol/no-such-pool/bhyve/laptop-dev-03/disk-01 -E -P 5901 laptop-dev-03")

const articleCell = `cell "laptop-dev-03" {
  cpus   = 4
  memory = "16G"
  boot   = "uefi"
  disk "disk-01" {
    zvol = "no-such-pool/bhyve/laptop-dev-03/disk-01"
  }
  nic "tap0" {
    tap = "tap0"
    mac = "00:a0:98:dc:8e:e7"
  }
  screen {
    listen = "127.0.0.1:5901"
  }
  console {
    device = "/dev/nmdm-laptop-dev-03-A"
  }
}
`

func TestVmrunPrint(t *testing.T) {
	for _, args := range [][]string{
		append([]string{"vmrun", "--print"}, articleLine...),
		append(append([]string{"vmrun"}, articleLine...), "--print"),
	} {
		s := skep(t, args...).want(t, fault.OK, "skep: the screen listens on 127.0.0.1:5901 without a password", "nobody looked whether it boots")
		if s.out != articleCell {
			t.Errorf("%s", s.out)
		}
		for line := range strings.Lines(s.err) {
			if !strings.HasPrefix(line, "skep: ") {
				t.Errorf("%q is no line of skep's", line)
			}
		}
	}
	// What is printed is a cell file that stands for the same plan.
	dir := t.TempDir()
	f := write(t, filepath.Join(dir, "laptop-dev-03.hcl"), articleCell)
	skepIn(t, dir, "check", f).want(t, fault.OK)
}

func TestVmrunCommandLine(t *testing.T) {
	for _, tc := range []struct {
		line string
		code fault.Code
		want string
	}{
		{"-h", fault.OK, ""},
		{"--help", fault.OK, ""},
		{"", fault.Input, "name not specified"},
		{"-X web", fault.Input, `illegal option -- 'X'`},
		{"-m 1 -m", fault.Input, "take flag -m: no argument for it"},
		{"--bogus web", fault.Input, "unknown flag --bogus"},
		{"--print=perhaps web", fault.Input, "--print must be true or false"},
		{"--run-dir", fault.Input, "--run-dir needs a value"},
		{"--print ../x", fault.Input, "rename the virtual machine"},
		{"--print a b", fault.Input, "unexpected argument"},
		{"--print -s secret web", fault.Input, "every process of the host can read it there"},
		{"--print -p no-such0 web", fault.Input, "-p no-such0"},
	} {
		s := skep(t, append([]string{"vmrun"}, strings.Fields(tc.line)...)...).want(t, tc.code, tc.want)
		if strings.Contains(s.err, "secret") {
			t.Error("a password is repeated")
		}
		if tc.code == fault.OK && !strings.HasPrefix(s.out, "usage: skep vmrun [--print]") {
			t.Errorf("%q: %s", tc.line, s.out)
		}
	}
	skep(t, "help", "vmrun").want(t, fault.OK)
}

// A Linux host says what it lacks in the words of the command line.
func TestVmrunElsewhere(t *testing.T) {
	linux, err := host.Reference("linux")
	if err != nil {
		t.Fatal(err)
	}
	freebsd, err := host.Reference("freebsd")
	if err != nil {
		t.Fatal(err)
	}
	uefi := func(change func(*cell.Cell)) *cell.Cell {
		c := cell.Hello()
		c.Name, c.Boot.Kind = "web", cell.BootUEFI
		change(c)
		return c
	}
	for want, c := range map[string]*cell.Cell{
		"without -E":        uefi(func(c *cell.Cell) { c.Boot.Kind = cell.BootLoader }),
		"-C names":          uefi(func(c *cell.Cell) { c.Console.Device = "/dev/nmdm0A" }),
		"own flags (-a -w)": uefi(func(c *cell.Cell) { c.Hypervisor.Args = []string{"-a", "-w"} }),
		"-p passes":         uefi(func(c *cell.Cell) { c.Passthru = []cell.Passthru{{PCI: "2/0/0"}} }),
		"":                  uefi(func(*cell.Cell) {}),
	} {
		if err := fitsHost(c, freebsd); err != nil {
			t.Error(err)
		}
		err := fitsHost(c, linux)
		if want == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || fault.CodeOf(err) != fault.Input || !strings.Contains(fault.HintOf(err), "--print") {
			t.Errorf("%q: %v", want, err)
		}
	}
}

func TestParseLocation(t *testing.T) {
	for in, want := range map[string]string{
		"slot=0 function=1 dbsf=pci0:2:0:1 handle=\\_SB_.PCI0.S10_": "2/0/1",
		"dbsf=pci1:2:0:0":      "",
		"dbsf=pci2:0":          "",
		"slot=0":               "",
		"":                     "",
		"x dbsf=pci0:255:31:7": "255/31/7",
	} {
		got, err := parseLocation(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}
