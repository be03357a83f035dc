package hypervisor

import (
	"strings"
	"testing"

	"skep/internal/cell"
)

// refusals are those about arguments.
func refusals(refuses func(*cell.Cell) []Refusal, args ...string) (list []Refusal) {
	c := cell.Hello()
	c.Hypervisor.Args = args
	for _, r := range refuses(c) {
		if r.Source == "hypervisor.args" {
			list = append(list, r)
		}
	}
	return list
}

// Each flag of both tables is refused, alone and with a value, with a reason and
// with what to write instead.
func TestArgsRefused(t *testing.T) {
	for _, h := range []struct {
		name    string
		table   []refusedArg
		refuses func(*cell.Cell) []Refusal
		spelled []string // ways to write a flag
	}{
		{"qemu", qemuRefused, QEMURefuses, []string{"", "-"}},
		{"bhyve", bhyveRefused, BhyveRefuses, []string{""}},
	} {
		seen := map[string]bool{}
		for _, row := range h.table {
			if row.why == "" || row.instead == "" {
				t.Errorf("%s %s: no reason or nothing instead", h.name, row.flags)
			}
			for flag := range strings.FieldsSeq(row.flags) {
				if seen[flag] {
					t.Errorf("%s %s: there twice", h.name, flag)
				}
				seen[flag] = true
				for _, dash := range h.spelled {
					list := refusals(h.refuses, dash+flag, "4")
					if len(list) == 0 || !strings.Contains(list[0].Text, flag) || !strings.Contains(list[0].Text, row.why) || list[0].Hint == "" {
						t.Errorf("%s %s%s: %v", h.name, dash, flag, list)
					}
				}
			}
		}
	}
	for _, c := range []struct {
		refuses func(*cell.Cell) []Refusal
		args    []string
		want    int
	}{
		{QEMURefuses, []string{"image.img"}, 1},
		{QEMURefuses, []string{"-usb", "image.img"}, 1},
		{QEMURefuses, []string{"-rtc", "base=utc", "image.img"}, 1},
		{QEMURefuses, []string{"-smp", "cpus=4,cores=2"}, 1},
		{QEMURefuses, []string{"-snapshot", "-S", "--daemonize"}, 3},
		{BhyveRefuses, []string{"-c4"}, 1},
		{BhyveRefuses, []string{"-aD"}, 1},
		{BhyveRefuses, []string{"-lcom1,stdio"}, 1},
	} {
		if got := refusals(c.refuses, c.args...); len(got) != c.want {
			t.Errorf("%q: %v, want %d", c.args, got, c.want)
		}
	}
}

// What is left to a cell file is let through, and so is the value of an option
// that reads like one.
func TestArgsLeftAlone(t *testing.T) {
	for _, args := range [][]string{
		nil,
		{"-rtc", "base=localtime"},
		{"-cpu", "max"},
		{"-smbios", "type=1,serial=1", "-uuid", "0000"},
		{"-global", "driver=-drive"},
		{"-fw_cfg", "name=opt/x,string=-snapshot"},
		{"-smp", "sockets=1,cores=2,threads=1"},
		{"-device", "virtio-balloon-pci", "-usb", "-object", "rng-builtin,id=r"},
		{"-uuid", "-snapshot"},
	} {
		if got := refusals(QEMURefuses, args...); len(got) != 0 {
			t.Errorf("%q: %v", args, got)
		}
	}
	for _, args := range [][]string{{"-a", "-w"}, {"-aw"}, {"-o", "-D"}, {"-o-c"}, {"-p", "0:1", "-x", "-Y"}} {
		if got := refusals(BhyveRefuses, args...); len(got) != 0 {
			t.Errorf("bhyve %q: %v", args, got)
		}
	}
}
