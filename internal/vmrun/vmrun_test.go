package vmrun

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skep/internal/cell"
	"skep/internal/cellfile"
	"skep/internal/fault"
)

// run parses a line and prints the cell file that it stands for.
func run(t *testing.T, line string, o Options) (string, *Result) {
	t.Helper()
	if o.Dir == "" {
		o.Dir = "/home/vm"
	}
	r, err := Parse(strings.Fields(line), o)
	if err != nil {
		t.Fatalf("%s: %v (%s)", line, err, fault.HintOf(err))
	}
	return string(cellfile.Encode(r.Cell)), r
}

// The command line that the method of 2018 ends in.
func TestPublishedLine(t *testing.T) {
	text, r := run(t, "-c 4 -m 16g -t tap0 -C /dev/nmdm-laptop-dev-03-A -d /dev/zvol/tank/bhyve/laptop-dev-03/disk-01 -E -P 5901 laptop-dev-03", Options{})
	want := `cell "laptop-dev-03" {
  cpus   = 4
  memory = "16G"
  boot   = "uefi"
  disk "disk-01" {
    zvol = "tank/bhyve/laptop-dev-03/disk-01"
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
	if text != want {
		t.Error(cmp.Diff(want, text))
	}
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "127.0.0.1:5901 without a password") {
		t.Errorf("notes: %q", r.Notes)
	}
	if r.Cell.Restart != cell.RestartNever || r.Cell.Jail.Network != cell.NetworkNone {
		t.Errorf("restart %s, network %s", r.Cell.Restart, r.Cell.Jail.Network)
	}
}

func TestFlags(t *testing.T) {
	boots := func(string) (bool, error) { return true, nil }
	empty := func(string) (bool, error) { return false, nil }
	missing := func(string) (bool, error) { return false, os.ErrNotExist }
	for _, tc := range []struct {
		line  string
		o     Options
		want  []string // lines of the cell file, ! for lines that must not be there
		notes []string
	}{
		{"vm", Options{}, []string{`boot   = "loader"`, `cpus   = 2`, `file = "/home/vm/diskdev"`, `size = "8G"`, `tap = "tap0"`, "!memory", "!screen"}, []string{"no -d", "no -t"}},
		{"-AaEwc2 -m1024 vm", Options{}, []string{`memory = "1G"`, `model = "ahci"`, `args = ["-a", "-w"]`, "screen {", "!listen", "!model = \"virtio\""}, []string{"UNIX socket"}},
		{"-m 0x40000000 vm", Options{}, []string{`memory = "1G"`}, nil},
		{"-m 512mb vm", Options{}, []string{"!memory"}, nil},
		{"-c cpus=3 vm", Options{}, []string{"cpus   = 3"}, nil},
		{"-c 3 -c 5 vm", Options{}, []string{"cpus   = 5"}, nil},
		{"-d a.img,ro -d /dev/ada1,nocache vm", Options{}, []string{`file      = "/home/vm/a.img"`, "read_only = true", `device = "/dev/ada1"`, "!size"}, []string{"nocache", "raw device"}},
		{"-d disks/../x -- vm", Options{}, []string{`file = "/home/vm/x"`, `disk "x"`}, nil},
		{"-t tap3,mac=00:a0:98:01:02:03 -t vmnet1 -n e1000 vm", Options{}, []string{`tap   = "tap3"`, `mac   = "00:a0:98:01:02:03"`, `tap   = "vmnet1"`, `model = "e1000"`}, nil},
		{"-C stdio vm", Options{}, []string{"!device"}, []string{"skep console"}},
		{"-e a=1 -e b=2 -l /boot/userboot_4th.so vm", Options{}, []string{`env = ["a=1", "b=2"]`, `os  = "/boot/userboot_4th.so"`}, nil},
		{"-H sub vm", Options{}, []string{`host_path = "/home/vm/sub"`}, []string{"sees this directory"}},
		{"-P 5901 -v -F w=800,h=600 vm", Options{}, []string{"!screen"}, []string{"-P means nothing", "-v means nothing", "-F means nothing"}},
		{"-E -F w=1920,h=1080 -v -T vm", Options{}, []string{"width  = 1920", "height = 1080", "wait   = true", "!args"}, nil},
		{"-E -f fw.fd -L 192.0.2.1 vm", Options{}, []string{`boot = "/home/vm/fw.fd"`, `listen = "192.0.2.1:5900"`}, []string{"everybody who reaches"}},
		{"-E -L ::1 -P 1 vm", Options{}, []string{`listen = "[::1]:1"`}, []string{"every user of this host"}},
		{"-G w1234 vm", Options{}, []string{`listen = "127.0.0.1:1234"`, "wait   = true"}, nil},
		{"-G 0.0.0.0:1234 vm", Options{}, []string{`listen = "0.0.0.0:1234"`}, []string{"memory, without a password"}},
		{"-p 3/0/0 -p ppt0 vm", Options{PCI: func(string) (string, error) { return "4/0/1", nil }}, []string{`pci = "3/0/0"`, `pci = "4/0/1"`}, nil},
		{"-u -S vm", Options{}, []string{`args = ["-u", "-S"]`}, nil},

		// The installation image: first for bhyveload(8), last for firmware.
		{"-i -I /iso/a.iso -d x vm", Options{}, []string{`iso = "/iso/a.iso"`}, nil},
		{"-E -i -d x vm", Options{}, []string{`iso = "/home/vm/release.iso"`}, nil},
		{"-I /iso/a.iso -d x vm", Options{Bootable: boots}, []string{"!iso"}, nil},
		{"-I /iso/a.iso -d x vm", Options{Bootable: empty}, []string{`iso = "/iso/a.iso"`}, []string{"nothing to boot from"}},
		{"-I /iso/a.iso -d x vm", Options{Bootable: missing}, []string{`iso = "/iso/a.iso"`}, []string{"does not exist"}},
		{"-I /iso/a.iso -d x vm", Options{}, []string{"!iso"}, []string{"with -i only"}},
	} {
		text, r := run(t, tc.line, tc.o)
		for _, want := range tc.want {
			no, negative := strings.CutPrefix(want, "!")
			if negative == strings.Contains(squeeze(text), squeeze(no)) {
				t.Errorf("%s: %q in\n%s", tc.line, want, text)
			}
		}
		all := strings.Join(r.Notes, "\n")
		for _, want := range tc.notes {
			if !strings.Contains(all, want) {
				t.Errorf("%s: no note %q in\n%s", tc.line, want, all)
			}
		}
	}
	if _, r := run(t, "-i -d x vm", Options{}); r.Cell.Disks[0].ISO == "" {
		t.Error("bhyveload would boot the disk and not the image")
	}
	if _, r := run(t, "-E -i -d x vm", Options{}); r.Cell.Disks[1].ISO == "" {
		t.Error("the image is not the last disk")
	}
}

// squeeze makes one blank of each run of them: the formatter aligns.
func squeeze(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.Join(strings.Fields(l), " ")
	}
	return strings.Join(lines, "\n")
}

func TestErrors(t *testing.T) {
	for _, tc := range []struct{ line, want, hint string }{
		{"", "run: virtual machine name not specified", "last argument"},
		{"-E", "run: virtual machine name not specified", "last argument"},
		{"vm -E", `run "vm": unexpected argument "-E" after the name`, "before the name"},
		{"-E -x vm", `take "-x": illegal option -- 'x'`, "lists the flags"},
		{"--print vm", `take "--print": illegal option -- '-'`, "single letters"},
		{"-g 1234 vm", `take "-g": illegal option -- 'g'`, "-G [w][address:]port"},
		{"-E -c", "take flag -c: no argument for it", "number of virtual cpus"},
		{"-c four vm", "take -c four: it must be a number", "such as 4"},
		{"-c 2,sockets=2 vm", "take -c 2,sockets=2: it must be a number", "sockets"},
		{"-m lots vm", "take -m lots: it must be a size", "such as 16G"},
		{"-m 16q vm", "take -m 16q: it must be a size", ""},
		{"-m 99999999t vm", "take -m 99999999t: it must be a size", ""},
		{"-m 1048577 vm", "take -m 1048577: it must be whole megabytes", ""},
		{"-C /dev/nmdm0B vm", "take -C /dev/nmdm0B: the host keeps the B end", "use /dev/nmdm0A here"},
		{"-C tcp=0.0.0.0:99 vm", "take -C tcp=0.0.0.0:99: it is neither", "/dev/nmdm-web-A"},
		{"-d x,sectorsize=4096 vm", `take -d x,sectorsize=4096: a cell has no word for "sectorsize=4096"`, "by hand"},
		{"-d ,ro vm", "take -d ,ro: it names no disk", ""},
		{"-t netgraph,path=x vm", "take -t netgraph,path=x: this backend", "use a tap"},
		{"-t tap0,mtu=9000 vm", `take -t tap0,mtu=9000: a cell has no word for "mtu=9000"`, "mac="},
		{"-n ne2000 vm", "take -n ne2000: a cell has no such card", "e1000"},
		{"-p ppt0 vm", "take -p ppt0: devices cannot be looked up by name here", "bus/slot/function"},
		{"-E -P 0 vm", `take -P 0: "0" is not a port`, "65535"},
		{"-E -L example.org vm", `take -L example.org: "example.org" is not an address`, "in numbers"},
		{"-E -F w=800,vga=on vm", `take -F w=800,vga=on: a cell has no place for "vga=on"`, "w=1024"},
		{"-E -F password=x vm", "take a password on the command line", "password_file"},
		{"-s secret vm", "take a password on the command line", "password_file"},
		{"-e novalue vm", "take -e novalue: it must be a variable with a value", "write -e name=value"},
		{"-G 1.2.3.4 vm", `take -G 1.2.3.4: "1.2.3.4" is not a port`, ""},
		{"my.vm", `run "my.vm": `, "rename"},
		{"-c 999 vm", "make a cell of this command line: ", "skep vmrun -h"},
	} {
		_, err := Parse(strings.Fields(tc.line), Options{Dir: "/"})
		if err == nil || !strings.HasPrefix(err.Error(), "cannot "+tc.want) || !strings.Contains(fault.HintOf(err), tc.hint) || fault.CodeOf(err) != fault.Input {
			t.Errorf("%s:\n got %v (%s)\nwant cannot %s (%s)", tc.line, err, fault.HintOf(err), tc.want, tc.hint)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the password is in the message", tc.line)
		}
	}
	if _, err := Parse([]string{"-Eh"}, Options{}); !errors.Is(err, ErrHelp) {
		t.Errorf("-Eh: %v", err)
	}
	for _, f := range flags {
		if !strings.Contains(Usage(), "  -"+string(f.letter)+" ") || f.help == "" {
			t.Errorf("-%c is not in the help", f.letter)
		}
	}
}

// The flags of each script, as its getopts line has them.
func TestEveryFlag(t *testing.T) {
	for script, letters := range map[string]string{
		"FreeBSD 13":    "aAc:C:d:e:Ef:F:hH:iI:l:L:m:n:p:P:t:Tuvw",
		"FreeBSD 14":    "aAc:C:d:e:Ef:F:G:hH:iI:l:L:m:n:p:P:t:Tuvw",
		"HardenedBSD":   "aAc:C:d:e:Ef:F:G:hH:iI:l:L:m:n:p:P:s:St:Tuvw",
		"of both kinds": "h",
	} {
		for i := range letters {
			if letters[i] == ':' {
				continue
			}
			takes := strings.HasPrefix(letters[i+1:], ":")
			if f := find(letters[i]); f == nil || takes != (f.value != "") {
				t.Errorf("-%c of %s", letters[i], script)
			}
		}
	}
}

func TestBootable(t *testing.T) {
	sized := func(n int, at int, mark ...byte) []byte {
		b := make([]byte, n)
		copy(b[at:], mark)
		return b
	}
	for name, tc := range map[string]struct {
		disk []byte
		want bool
	}{
		"nothing":     {nil, false},
		"short":       {make([]byte, 511), false},
		"zeroes":      {make([]byte, 1<<20), false},
		"boot record": {sized(512, 510, 0x55, 0xaa), true},
		"UFS2":        {sized(1<<20, 65536+1372, 0x19, 0x01, 0x54, 0x19), true},
		"UFS1":        {sized(1<<20, 8192+1372, 0x54, 0x19, 0x01, 0x00), true},
		"cut UFS":     {sized(65536+1372+2, 65536+1372, 0x19, 0x01), false},
	} {
		if got := bootable(bytes.NewReader(tc.disk)); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
		file := filepath.Join(t.TempDir(), "disk")
		if err := os.WriteFile(file, tc.disk, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Bootable(file); err != nil || got != tc.want {
			t.Errorf("%s on disk: %v, %v", name, got, err)
		}
	}
	if _, err := Bootable("/nonexistent"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// Every line is a cell that can be written and read back, or an error with a
// hint.
func FuzzParse(f *testing.F) {
	f.Add("-c 4 -m 16g -t tap0 -C /dev/nmdm0A -d /dev/zvol/a/b -E -P 5901 vm")
	f.Add("-AaEwc2 -m1024 -F w=800 -G w:1 -e a=b -- vm")
	f.Fuzz(func(t *testing.T, line string) {
		r, err := Parse(strings.Fields(line), Options{Dir: "/d"})
		if errors.Is(err, ErrHelp) {
			return
		}
		if err != nil {
			if fault.HintOf(err) == "" || fault.CodeOf(err) != fault.Input {
				t.Errorf("%s: %v has no hint", line, err)
			}
			return
		}
		again, mistakes := cell.Parse("x.hcl", cellfile.Encode(r.Cell))
		if len(mistakes) > 0 {
			t.Fatalf("%s: %v", line, mistakes)
		}
		again.File, again.Sources = "", nil
		if d := cmp.Diff(r.Cell, again); d != "" {
			t.Errorf("%s: %s", line, d)
		}
	})
}
