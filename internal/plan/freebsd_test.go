package plan

import (
	"encoding/json"
	"fmt"
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

// freebsdCells are one cell for each thing that a plan for FreeBSD can hold.
var freebsdCells = map[string]string{
	"access":   "access {\n users = [\"analyst\"]\n groups = [\"lab\", \"1050\"]\n may = [\"console\", \"read\"]\n}\naccess {\n users = [\"op\"]\n may = [\"power\"]\n}",
	"hello":    ``,
	"disks":    "disk \"a\" { file = \"/vm/a.img\" }\n disk \"b\" { zvol = \"tank/b\" }\n disk \"c\" { iso = \"/vm/c.iso\" }",
	"networks": "nic \"lan\" { bridge = \"bridge0\" }\n nic \"own\" { tap = \"tap0\" }\n nic \"new\" { bridge = \"bridge7\" }\n bridge \"bridge7\" {\n create = true\n uplink = \"em0\"\n}\n jail { network = \"vnet\" }",
	"frames": "nic \"lan\" {\n network = \"sinkhole\"\n capture = true\n}\n nic \"out\" {\n network = \"user\"\n allow = [\"192.0.2.1:443\"]\n}\n" +
		" nic \"br\" {\n bridge = \"bridge0\"\n capture = true\n}",
	"shared": "jail {\n network = \"shared\"\n ip4 = [\"192.168.1.2\"]\n}\n screen { listen = \"192.168.1.2:5901\" }\n boot = \"uefi\"",
	"screen": "screen { password_file = \"/etc/pw\" }\n boot = \"uefi\"",
	"loader": "boot = \"loader\"\n disk \"a\" { zvol = \"tank/a\" }\n console { device = \"/dev/nmdm-otherA\" }",
	"tree":   "jail { root = \"/usr/jails/x\" }",
	"debug":  "gdb { listen = \"127.0.0.1:1234\" }\n share \"src\" { path = \"/usr/src\" }",
	"limits": "memory = \"8G\"\n cpus = 4\n jail {\n limits {\n cpu = \"200%\"\n open_files = 300\n}\n}",
}

func parseFreeBSD(t *testing.T, name, body string) *cell.Cell {
	t.Helper()
	c, diags := cell.Parse(name+".hcl", []byte("cell \""+name+"\" {\n"+body+"\n}\n"))
	if len(diags) > 0 {
		t.Fatalf("%s: %v", name, diags)
	}
	return c
}

func planFreeBSD(t *testing.T, name, body string, change func(*host.Facts)) (*Plan, error) {
	t.Helper()
	facts, err := host.Reference("freebsd")
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&facts)
	}
	p, problems := Make(parseFreeBSD(t, name, body), facts)
	return p, problems.Err()
}

// TestFreeBSDGolden compares each plan with what it was: its commands, and how
// it lets go, in reverse.
func TestFreeBSDGolden(t *testing.T) {
	for name, body := range freebsdCells {
		p, err := planFreeBSD(t, name, body, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var b strings.Builder
		for _, r := range p.Resources {
			b.WriteString("# " + r.ID + "\n" + r.String() + "\n")
		}
		b.WriteString("\n# released\n")
		for i := len(p.Resources) - 1; i >= 0; i-- {
			for _, line := range p.Resources[i].Spec.Release() {
				b.WriteString(line + "\n")
			}
		}
		path := filepath.Join("testdata", "freebsd", name+".txt")
		if *update {
			_ = os.MkdirAll(filepath.Dir(path), 0o755)
			if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("%s (go test -update writes it anew):\n%s", name, diff)
		}
	}
}

// TestFreeBSDJournal: what a journal holds of a resource is all of it.
func TestFreeBSDJournal(t *testing.T) {
	for name, body := range freebsdCells {
		p, err := planFreeBSD(t, name, body, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Resources {
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
}

// TestFreeBSDNodes: each node is named exactly, and a hello cell sees no more
// than its VM, its boot ROM and its console.
func TestFreeBSDNodes(t *testing.T) {
	for name, body := range freebsdCells {
		p, _ := planFreeBSD(t, name, body, nil)
		for _, d := range Specs[*DevMount](p) {
			for _, n := range d.Nodes {
				if strings.ContainsAny(n.Path, "*?[") {
					t.Errorf("%s: the node %q is a pattern", name, n.Path)
				}
			}
		}
	}
	p, _ := planFreeBSD(t, "hello", "", nil)
	var got []string
	for _, n := range Specs[*DevMount](p)[0].Nodes {
		got = append(got, n.Path)
	}
	if diff := cmp.Diff([]string{"vmm/hello", "vmm.io/hello.bootrom", "nmdm-helloA"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestFreeBSDLoaderCopy: what bhyveload boots it opens for writing, so of what nobody may write to it gets a
// copy, which is in the rootfs no longer once bhyve runs.
func TestFreeBSDLoaderCopy(t *testing.T) {
	p, err := planFreeBSD(t, "x", "boot = \"loader\"\n disk \"cd\" { iso = \"/a.iso\" }\n disk \"a\" { file = \"/a.img\" }", nil)
	if err != nil {
		t.Fatal(err)
	}
	copies, bhyve := Specs[*ScratchCopy](p), Specs[*Bhyve](p)[0]
	if len(copies) != 1 || copies[0].From != "/a.iso" {
		t.Fatalf("%+v", copies)
	}
	shown := func(m *Mount) bool { return m.From == copies[0].Dir }
	mounts := Specs[*Mount](p)
	i := slices.IndexFunc(mounts, shown)
	if i < 0 || !mounts[i].Passing || mounts[i].ReadOnly || mounts[i].Inside != insideScratchCopy {
		t.Errorf("it is shown as %+v", mounts)
	}
	if got := strings.Join(bhyve.Loader, " "); !strings.Contains(got, " -d /boot-disk/image -d /disk/a ") {
		t.Errorf("bhyveload boots %s", got)
	}
	if got := strings.Join(bhyve.Argv, " "); !strings.Contains(got, "/disk/cd,ro") && !strings.Contains(got, "ahci-cd,/disk/cd") {
		t.Errorf("the guest has %s", got)
	}
	if p, err = planFreeBSD(t, "x", "boot = \"loader\"\n disk \"a\" { file = \"/a.img\" }", nil); err != nil || len(Specs[*ScratchCopy](p)) > 0 {
		t.Errorf("a disk of its own is copied: %v", err)
	}
}

// TestFreeBSDRefuses lists what is refused before the host is touched, and
// with which status.
func TestFreeBSDRefuses(t *testing.T) {
	for name, row := range map[string]struct {
		body   string
		change func(*host.Facts)
		code   fault.Code
		says   string
	}{
		"a kernel":          {"kernel { image = \"/vmlinuz\" }", nil, fault.Input, "boot a kernel directly"},
		"emulation":         {"accel = \"tcg\"", nil, fault.Input, "accel"},
		"a loader's volume": {"boot = \"loader\"\n disk \"a\" {\n zvol = \"tank/a\"\n read_only = true\n}", nil, fault.Input, "which is read-only"},
		"many processors":   {"cpus = 4", func(f *host.Facts) { f.FreeBSD.MaxCPUs = 2 }, fault.Input, "allows one machine only 2 here"},
		"qcow2":             {"disk \"a\" {\n file = \"/a.qcow2\"\n format = \"qcow2\"\n}", nil, fault.Input, "qcow2"},
		"a raw device":      {"disk \"a\" { device = \"/dev/ada0\" }", nil, fault.Input, "securelevel 3"},
		"a foreign address": {"jail {\n network = \"shared\"\n ip4 = [\"192.0.2.1\"]\n}", nil, fault.Input, "does not have it"},
		"no firmware":       {"boot = \"uefi\"", func(f *host.Facts) { f.FreeBSD.Firmware = nil }, fault.Host, "no UEFI firmware"},
		"no bhyve":          {"", func(f *host.Facts) { f.FreeBSD.Bhyve = nil }, fault.Host, "no bhyve"},
		"a long path":       {"", func(f *host.Facts) { f.Dirs.Run = "/" + strings.Repeat("long/", 20) }, fault.Input, "characters"},
		"no slot":           {"", func(f *host.Facts) { f.Slots.Count, f.FreeBSD.Rulesets = 1, []int{f.Slots.RulesetBase} }, fault.Busy, "slots are taken"},
	} {
		_, err := planFreeBSD(t, "x", row.body, row.change)
		if err == nil || fault.CodeOf(err) != row.code || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v (status %d), want %q and %d", name, err, fault.CodeOf(err), row.says, row.code)
		}
	}
}

// TestFreeBSDRulesets: a number that somebody uses is not taken.
func TestFreeBSDRulesets(t *testing.T) {
	free, _ := planFreeBSD(t, "web", "", nil)
	used := Specs[*Ruleset](free)[0].Number
	p, err := planFreeBSD(t, "web", "", func(f *host.Facts) { f.FreeBSD.Rulesets = append(f.FreeBSD.Rulesets, used) })
	if err != nil || Specs[*Ruleset](p)[0].Number == used {
		t.Errorf("rule set %d was taken, %v", used, err)
	}
}

// TestFreeBSDOwnUID: where the host lets anybody make VMs, bhyve is nobody.
func TestFreeBSDOwnUID(t *testing.T) {
	p, err := planFreeBSD(t, "web", "", func(f *host.Facts) { f.FreeBSD.VmmCtl = true })
	if err != nil {
		t.Fatal(err)
	}
	h := Specs[*Bhyve](p)[0]
	if h.UID < 65536 || h.GID != h.UID || Specs[*Prison](p)[0].Suser {
		t.Errorf("uid %d, gid %d", h.UID, h.GID)
	}
	for _, n := range Specs[*DevMount](p)[0].Nodes {
		if n.UID != h.UID && n.Path != "null" {
			t.Errorf("%s belongs to %d", n.Path, n.UID)
		}
	}
	// What it opens by a name is root's: there it is root, in its jail.
	for _, body := range []string{
		`boot = "uefi"`, `screen {}`, "disk \"a\" {\n file = \"/images/a\"\n}", "disk \"a\" {\n iso = \"/images/a\"\n}",
		"share \"a\" {\n path = \"/srv\"\n}",
	} {
		p, err := planFreeBSD(t, "web", body, func(f *host.Facts) { f.FreeBSD.VmmCtl = true })
		if err != nil {
			t.Error(body, err)
			continue
		}
		if h := Specs[*Bhyve](p)[0]; h.UID != 0 || !Specs[*Prison](p)[0].Suser {
			t.Errorf("with %s: uid %d", body, h.UID)
		}
	}
}

// onFifteen is a host that has /dev/vmmctl.
func onFifteen(f *host.Facts) { f.FreeBSD.VmmCtl = true }

// TestFreeBSDVmmctl: bhyve keeps /dev/vmmctl open with every right, so it is given null under that name,
// and its VM is made before it. bhyveload gets the node itself, and bhyve after it does not.
func TestFreeBSDVmmctl(t *testing.T) {
	for _, tt := range []struct {
		body   string
		before bool
		late   bool
	}{
		{"", true, false},
		{`boot = "uefi"`, true, false},
		{"boot = \"loader\"\ndisk \"a\" {\n zvol = \"tank/a\"\n}", false, true},
	} {
		p, err := planFreeBSD(t, "web", tt.body, onFifteen)
		if err != nil {
			t.Fatal(tt.body, err)
		}
		want := []DevLink{{Name: "vmmctl", To: "null", UID: Specs[*DevMount](p)[0].Links[0].UID, Late: tt.late}}
		if diff := cmp.Diff(want, Specs[*DevMount](p)[0].Links); diff != "" {
			t.Error(tt.body, diff)
		}
		if vm := Specs[*VM](p)[0]; vm.Before != tt.before {
			t.Errorf("%s: made before bhyve: %t", tt.body, vm.Before)
		}
	}
	p, err := planFreeBSD(t, "web", "", nil)
	if err != nil || len(Specs[*DevMount](p)[0].Links) > 0 || Specs[*VM](p)[0].Before {
		t.Error("without a vmmctl nothing is linked, and bhyve makes its VM", err)
	}
}

// TestFreeBSDTablesOfItsOwnUID: a guest with ACPI and without files has bhyve run as a user of its own,
// and iasl, which bhyve starts, writes to a /tmp of that user's.
func TestFreeBSDTablesOfItsOwnUID(t *testing.T) {
	p, err := planFreeBSD(t, "web", "boot = \"firmware.fd\"\ndisk \"a\" {\n zvol = \"tank/a\"\n}", onFifteen)
	if err != nil {
		t.Fatal(err)
	}
	uid := Specs[*Bhyve](p)[0].UID
	var tmp *Mount
	for _, m := range Specs[*Mount](p) {
		if m.Inside == "/tmp" {
			tmp = m
		}
	}
	if uid < 65536 || tmp == nil || tmp.UID != uid {
		t.Fatalf("bhyve is user %d, its /tmp %+v", uid, tmp)
	}
	if line := tmp.Take()[0]; !strings.Contains(line, fmt.Sprintf("uid=%d,gid=%[1]d", uid)) {
		t.Error(line)
	}
}

// TestFreeBSDByHand: jexec(8) knows no numbers of users, so what is printed for people to run by hand has
// root's nodes, and a bhyve that may make its VM. skep's own plan is left as it was.
func TestFreeBSDByHand(t *testing.T) {
	p, err := planFreeBSD(t, "web", "", onFifteen)
	if err != nil {
		t.Fatal(err)
	}
	for form, want := range map[string][]string{
		"devfs.rules": {"path vmmctl unhide\n", "path vmm/web unhide\n"},
		"jail.conf":   {"allow.suser;"},
		"bhyve":       {"jexec skep-web"},
	} {
		text, err := As(form, parseFreeBSD(t, "web", ""), p)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s has no %q:\n%s", form, w, text)
			}
		}
		for _, no := range []string{"user 1", "# as user", "ln -s"} {
			if strings.Contains(text, no) {
				t.Errorf("%s has %q:\n%s", form, no, text)
			}
		}
	}
	if Specs[*Bhyve](p)[0].UID == 0 || Specs[*Prison](p)[0].Suser {
		t.Error("the plan itself was changed")
	}
}

// TestFreeBSDInstalls: by -D FreeBSD's install(1) understands another thing than to make directories.
func TestFreeBSDInstalls(t *testing.T) {
	for _, body := range []string{"", `boot = "uefi"`, "screen {}"} {
		p, err := planFreeBSD(t, "web", body, nil)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Join(Specs[*JailRootfs](p)[0].Take(), "\n")
		made := strings.Index(lines, "mkdir -p ")
		if made < 0 || made > strings.Index(lines, "install ") || strings.Contains(lines, "install -D") {
			t.Error(lines)
		}
	}
}
