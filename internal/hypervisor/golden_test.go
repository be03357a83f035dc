package hypervisor_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/cell"
	"skep/internal/hypervisor"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with testdata/NAME.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it anew); got:\n%s", path, got)
	}
}

// render is a command line as a person reads it: an option a line, with where
// it comes from.
func render(opts []hypervisor.Option) string {
	var b strings.Builder
	for _, o := range opts {
		line := strings.TrimSpace(o.Flag + " " + o.Value)
		b.WriteString(line)
		b.WriteString("\n\t# ")
		if o.Source != "" {
			b.WriteString(o.Source + ": ")
		}
		b.WriteString(o.Why + "\n")
	}
	return b.String()
}

func TestQEMUGolden(t *testing.T) {
	for name, c := range testCells() {
		for _, accel := range []cell.Accel{cell.AccelTCG, cell.AccelKVM} {
			if accel == cell.AccelKVM && name != "hello" {
				continue // differs in two options only
			}
			t.Run(name+"-"+string(accel), func(t *testing.T) {
				opts := hypervisor.QEMUOptions(c, hypervisor.QEMUInput{Accel: accel,
					FD: hypervisor.Number(hypervisor.QEMUDescriptors(c)), DataDir: "/qemu",
					KernelPath: "/boot/kernel", InitrdPath: "/boot/initrd"})
				golden(t, "qemu-"+name+"-"+string(accel)+".txt", render(opts))
				for _, o := range opts {
					if o.Why == "" {
						t.Errorf("%s %s has no reason", o.Flag, o.Value)
					}
				}
			})
		}
	}
}

// Whatever a cell names on the host stays off the command line.
func TestNoHostPathOnTheCommandLine(t *testing.T) {
	for name, c := range testCells() {
		in := hypervisor.QEMUInput{FD: hypervisor.Number(hypervisor.QEMUDescriptors(c)), DataDir: "/qemu"}
		line := strings.Join(hypervisor.QEMUArgs(c, in), " ")
		for _, secret := range []string{"/srv/", "tank/", "/etc/", "screen.pw", "192.168.1.2", "/boot/vmlinuz"} {
			if strings.Contains(line, secret) {
				t.Errorf("%s: %q is on the command line", name, secret)
			}
		}
	}
}

// A descriptor that was not handed in is refused by QEMU; it never becomes
// standard input.
func TestMissingDescriptor(t *testing.T) {
	line := strings.Join(hypervisor.QEMUArgs(testCells()["hello"], hypervisor.QEMUInput{}), " ")
	if strings.Contains(line, "fd=0") || !strings.Contains(line, "fd=-1") {
		t.Error(line)
	}
}

func TestNumber(t *testing.T) {
	c := testCells()["article"]
	fds := hypervisor.Number(hypervisor.QEMUDescriptors(c))
	want := map[string]int{"qmp": 3, "console": 4, "console-log": 5, "flash-code": 6, "flash-vars": 7, "disk:disk-01": 8, "tap:lan": 9}
	if len(fds) != len(want) {
		t.Errorf("%v, want %v", fds, want)
	}
	for name, n := range want {
		if fds[name] != n {
			t.Errorf("%s is %d, want %d", name, fds[name], n)
		}
	}
}
