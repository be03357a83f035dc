package plan

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
)

// linuxCells are one cell for each thing that a plan for Linux can hold.
var linuxCells = map[string]string{
	"access": "access {\n users = [\"analyst\"]\n groups = [\"lab\", \"1050\"]\n may = [\"console\", \"read\"]\n}\naccess {\n users = [\"op\"]\n may = [\"power\"]\n}",
	"secure": `boot = "uefi"
secure_boot = true
tpm { model = "tis" }`,
	"sinkhole": `nic "lan" {
  network = "sinkhole"
  dns     = { "example.org" = "198.18.0.9" }
  answer "http" { file = "/srv/page.html" }
}
nic "more" {
  network = "sinkhole"
  capture = true
}
nic "out" {
  network = "user"
  allow   = ["deb.example:443", "192.0.2.0/24:53/udp"]
}
nic "wire" {
  bridge  = "br0"
  capture = true
}`,
	"hello":  ``,
	"disks":  "boot = \"uefi\"\n disk \"a\" {\n file = \"/vm/a.img\"\n}\n disk \"b\" {\n file = \"/vm/b.qcow2\"\n format = \"qcow2\"\n}\n disk \"c\" {\n iso = \"/vm/c.iso\"\n}",
	"layers": "boot = \"uefi\"\n disk \"own\" {\n base = \"/vm/base.qcow2\"\n format = \"qcow2\"\n size = \"20G\"\n}\n disk \"gone\" {\n base = \"/vm/base.img\"\n disposable = true\n}",
	"networks": "nic \"lan\" {\n bridge = \"br0\"\n}\n nic \"own\" {\n tap = \"tap0\"\n}\n nic \"new\" {\n bridge = \"br7\"\n}\n" +
		"bridge \"br7\" {\n create = true\n uplink = \"eth0\"\n}",
	"kernel":   "kernel {\n image = \"/vm/vmlinuz\"\n initrd = \"/vm/initrd\"\n cmdline = \"console=ttyS0\"\n}",
	"screen":   "boot = \"uefi\"\n screen {}",
	"listen":   "boot = \"uefi\"\n screen {\n listen = \"127.0.0.1:5901\"\n}",
	"debug":    "gdb {\n listen = \"127.0.0.1:1234\"\n}",
	"limits":   "memory = \"8G\"\n cpus = 4\n jail {\n limits {\n cpu = \"200%\"\n open_files = 300\n}\n}",
	"emulated": "accel = \"tcg\"",
	"template": "boot = \"uefi\"\n accel = \"tcg\"\n disk \"root\" {\n base = \"/vm/base.img\"\n}",
	"clone":    "boot = \"uefi\"\n accel = \"tcg\"\n disk \"root\" {\n base = \"/vm/base.img\"\n}",
	"seed":     "boot = \"uefi\"\n disk \"a\" {\n file = \"/vm/a.img\"\n}\n seed {\n hostname = \"a\"\n}",
}

func planLinux(t *testing.T, name, body string, change func(*host.Facts)) (*Plan, *cell.Cell, error) {
	t.Helper()
	facts, err := host.Reference("linux")
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&facts)
	}
	c, diags := cell.Parse(name+".hcl", []byte("cell \""+name+"\" {\n"+body+"\n}\n"))
	if len(diags) > 0 {
		t.Fatalf("%s: %v", name, diags)
	}
	switch name {
	case "template":
		c.Template = &cell.TemplateRef{Name: "T", Dir: "/var/db/skep/templates/T", Make: true}
	case "clone":
		c.Template = &cell.TemplateRef{Name: "T", Dir: "/var/db/skep/templates/T"}
		c.Disks[0].Frozen, c.Disks[0].Disposable = "/var/db/skep/templates/T/disk-root.qcow2", true
	}
	p, problems := Make(c, facts)
	return p, c, problems.Err()
}

// text is a plan's commands, and how it lets go, in reverse.
func text(p *Plan) string {
	var b strings.Builder
	for _, r := range p.Resources {
		b.WriteString("# " + r.ID + "\n" + r.String() + "\n")
	}
	b.WriteString("\n# released\n")
	for _, r := range slices.Backward(p.Resources) {
		for _, line := range r.Spec.Release() {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// TestLinuxGolden compares each plan with what it was.
func TestLinuxGolden(t *testing.T) {
	for name, body := range linuxCells {
		p, _, err := planLinux(t, name, body, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		path := filepath.Join("testdata", "linux", name+".txt")
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text(p)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), text(p)); diff != "" {
			t.Errorf("%s (go test -update writes it anew):\n%s", name, diff)
		}
	}
}

// TestLinuxJournal: what a journal holds of a resource is all of it, and every kind that the system has is in
// one of the plans.
func TestLinuxJournal(t *testing.T) {
	seen := map[Kind]bool{}
	for name, body := range linuxCells {
		p, _, err := planLinux(t, name, body, nil)
		if err != nil {
			t.Fatal(err)
		}
		inJob, _, err := planLinux(t, name, body, belowAJob)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range slices.Concat(p.Resources, inJob.Resources) {
			seen[r.Spec.Kind()] = true
			text, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			var back Resource
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatalf("%s: %v", r.ID, err)
			}
			if diff := cmp.Diff(r, back); diff != "" {
				t.Errorf("%s of %s: %s", r.ID, name, diff)
			}
		}
	}
	for _, k := range Kinds(onLinux) {
		if !seen[k] {
			t.Errorf("no plan here has a %s: add a cell for it", k)
		}
	}
	var unknown Resource
	if err := json.Unmarshal([]byte(`{"id":"x","kind":"nothing","spec":{}}`), &unknown); err == nil {
		t.Error("a kind that nobody knows is read")
	}
}

// TestLinuxExplained: each resource that was asked for names the line that asked, or that of the block around
// it; what every cell has names none.
func TestLinuxExplained(t *testing.T) {
	for name, body := range linuxCells {
		p, c, err := planLinux(t, name, body, nil)
		if err != nil {
			t.Fatal(err)
		}
		rows := Explain(c, p)
		if len(rows) != len(p.Resources) {
			t.Errorf("%s: %d of %d resources are explained", name, len(rows), len(p.Resources))
		}
		for _, r := range rows {
			if r.Why == "" {
				t.Errorf("%s: %s has no reason", name, r.ID)
			}
			block, _, _ := strings.Cut(r.For, ".")
			if written := strings.Contains(body, block+" ") && block != ""; written != (r.Pos.Line > 0) {
				t.Errorf("%s: %s, asked for by %q, is at %v", name, r.ID, r.For, r.Pos)
			}
			if found, ok := p.Find(r.ID); !ok || found.Why != r.Why {
				t.Errorf("%s: %s is not found", name, r.ID)
			}
		}
	}
}

// TestLinuxOrder: the hypervisor is started last, in the jail that is described before it, and what it is
// handed exists by then.
func TestLinuxOrder(t *testing.T) {
	for name, body := range linuxCells {
		p, _, err := planLinux(t, name, body, nil)
		if err != nil {
			t.Fatal(err)
		}
		at := func(k Kind) int {
			return slices.IndexFunc(p.Resources, func(r Resource) bool { return r.Spec.Kind() == k })
		}
		if at(KindDirectory) != 0 || at(KindSlot) != 1 {
			t.Errorf("%s: the directory and the slot come first, not %s", name, p.Resources[0].ID)
		}
		for _, k := range []Kind{KindJail, KindRootfs, KindSocket, KindLog, KindDisk, KindTap, KindLayer, KindMedium} {
			if at(k) > at(KindHypervisor) {
				t.Errorf("%s: %s comes after the hypervisor", name, k)
			}
		}
		if at(KindJail) < at(KindRootfs) {
			t.Errorf("%s: the jail comes before its rootfs", name)
		}
	}
}

// TestLinuxRefuses: what this host cannot do is said with the place in the file, and all of it at once.
func TestLinuxRefuses(t *testing.T) {
	for _, tt := range []struct {
		body, want string
		change     func(*host.Facts)
	}{
		{"", "QEMU is not installed", func(f *host.Facts) { f.Linux.QEMU = nil }},
		{"jail {\n root = \"/usr/jails/x\"\n}", "jail.root", nil},
		{"boot = \"loader\"\n disk \"a\" {\n file = \"/a\"\n}", "loader", nil},
		{"accel = \"kvm\"", "KVM", func(f *host.Facts) {
			f.Linux.KVM.Works, f.Linux.KVM.Tried, f.Linux.KVM.Why = false, true, "no KVM here"
		}},
		{"boot = \"uefi\"", "UEFI", func(f *host.Facts) { f.Linux.OVMF = nil }},
		{"", "slots are taken", func(f *host.Facts) { f.Slots.Count = 0 }},
	} {
		_, _, err := planLinux(t, "refused", tt.body, tt.change)
		if err == nil || !strings.Contains(strings.Join(words(err), "\n"), tt.want) {
			t.Errorf("%q: %v, want %q", tt.body, err, tt.want)
		}
	}
}

func words(err error) []string {
	all := []string{err.Error()}
	for _, e := range fault.ListOf(err) {
		all = append(all, e.Error(), fault.HintOf(e))
	}
	return all
}

// What an ordinary user types to end a worker or a TPM ends nothing else of theirs.
func TestReleaseOfCallersOwn(t *testing.T) {
	for _, s := range []Spec{&Worker{Identity: host.MappingOwn, UID: 1000}, &TPM{Identity: host.MappingOwn, UID: 1000}} {
		if lines := strings.Join(s.Release(), "\n"); lines == "" || strings.Contains(lines, "pkill") {
			t.Errorf("%s: %q", s.Kind(), lines)
		}
	}
}
