package bsdimport

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skep/internal/cell"
	"skep/internal/cellfile"
	"skep/internal/devfs"
	"skep/internal/fault"
	"skep/internal/jailconf"
)

func file(t testing.TB, name string) jailconf.Source {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return jailconf.Source{Name: "testdata/" + name, Text: string(text)}
}

// published is the host of 2018: one jail for bhyve, rules with an include,
// a bridge and a tap in rc.conf.
func published(t testing.TB, jail string) Input {
	rc := file(t, "rc.conf")
	return Input{
		JailConf: file(t, "jail.conf"), Include: jailconf.FromDisk,
		Rules: []jailconf.Source{file(t, "devfs.rules")}, RCConf: &rc, Jail: jail, Depth: devfs.DefaultDepth,
	}
}

func warned(t *testing.T, warnings []Warning, want ...string) {
	t.Helper()
	var b strings.Builder
	for _, w := range warnings {
		b.WriteString(string(w.Topic) + ": " + w.String() + "\n")
	}
	for _, w := range want {
		if no, negative := strings.CutPrefix(w, "!"); strings.Contains(b.String(), no) == negative {
			t.Errorf("%q in the warnings:\n%s", w, b.String())
		}
	}
}

func TestImport(t *testing.T) {
	c, warnings, err := Import(published(t, "bhyve-01"))
	if err != nil {
		t.Fatal(err)
	}
	want := `cell "bhyve-01" {
  boot  = "uefi"
  start = "boot"
  disk "disk-01" {
    zvol = "tank/bhyve/laptop-dev-03/disk-01"
  }
  nic "tap0" {
    tap = "tap0"
  }
  jail {
    network = "shared"
    ip4     = ["192.168.1.2"]
  }
}
`
	if d := cmp.Diff(want, string(cellfile.Encode(c))); d != "" {
		t.Error(d)
	}
	warned(t, warnings,
		// What nobody was told: nothing was hidden.
		`rules: testdata/jail.conf:17:2: the kernel did not follow "include 1" in rule 100 of set 4: vfs.devfs.rule_depth is 1`,
		"device: the old jail saw kmem mem (no rule that ran hid it), and the new one does not: such a node reads and writes the host's memory",
		"device: the old jail saw da0 nda0 nda0p1 nda0p2 vtbd0 vtbd0p1 vtbd0p2 (no rule that ran hid it), and the new one does not: such a node is a disk of the host",
		"device: the old jail saw tap1 (no rule that ran hid it)",
		"device: the old jail saw these as well, and the new one does not: ",
		`rules: testdata/jail.conf:17:2: rule 400 of set 25 showed every node that matches "tap*"`,
		"device: the old rules show null modems by a glob",
		`network: testdata/jail.conf:11:1: jail(8) added the address to igb0`,
		`network: testdata/rc.conf: tap0 stays the host's, on bridge0`,
		"jail: testdata/jail.conf:6:1: allow.raw_sockets is off in the new jail",
		`jail: testdata/jail.conf:2:1: exec.start = "/bin/sh /etc/rc" is not carried over`,
		"jail: testdata/jail.conf:9:1: /usr/jails/bhyve-01 is not used",
		"take it out of jail_list",
		"guest: how many cpus",
		"!saw tap0", "!saw zvol/tank/bhyve/laptop-dev-03/disk-01", "!saw vmm,", "!allow.vmm is off",
	)
	if warnings[0].Topic != Device || warnings[len(warnings)-1].Topic != Guest {
		t.Error("what matters most does not come first")
	}
}

// With a depth of 2 the old rules did hide the host, and the warnings say so.
func TestImportDepth(t *testing.T) {
	in := published(t, "bhyve-01")
	in.Depth = 2
	_, warnings, err := Import(in)
	if err != nil {
		t.Fatal(err)
	}
	warned(t, warnings, "!did not follow", "!saw kmem", "!vtbd0", "saw tap1 (shown by rule 400 of set 25)", "saw fuse", "saw nmdm-web-A nmdm-web-B")
}

// A host's own nodes say what a glob stood for.
func TestImportNodes(t *testing.T) {
	in := published(t, "bhyve-01")
	in.Depth = 2
	in.Rules[0].Text = "[x=25]\nadd include $devfsrules_jail\nadd path zvol unhide\nadd path 'zvol/*' unhide\nadd path 'zvol/*/*' unhide\nadd path 'tap*' unhide\nadd path nmdm-x-B unhide\nadd path vmm unhide\n"
	in.Nodes = []devfs.Node{{Path: "zvol/t/a"}, {Path: "tap0"}, {Path: "tap9"}, {Path: "null"}}
	c, warnings, err := Import(in)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Disks) != 1 || c.Disks[0].Zvol != "t/a" || len(c.NICs) != 0 || c.Console.Device != "/dev/nmdm-x-A" {
		t.Errorf("disks %+v, nics %+v, console %q", c.Disks, c.NICs, c.Console.Device)
	}
	warned(t, warnings, "a glob in the old rules shows zvol/t/a", "which one is this guest's is not in these files (tap0, tap9 are there)", "!typical host")
}

func TestImportOtherJails(t *testing.T) {
	c, warnings, err := Import(published(t, "db"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Start != cell.StartManual || c.StopTimeout.Seconds() != 90 || len(c.After) != 1 || c.Boot.Kind != cell.BootHello || c.Jail.IP4[0] != "192.168.1.7" {
		t.Errorf("%+v", c)
	}
	warned(t, warnings, "children.max was 4 and is 0", "allow.vmm is not in these files", "no rule of these files names a disk", "a cell of that name", "!did not follow", "!kmem", "saw zfs")

	for _, tc := range []struct {
		name, block string
		check       func(*cell.Cell) bool
		want        []string
	}{
		{"no devfs", "j { path = /j; }", func(c *cell.Cell) bool { return len(c.Disks) == 0 }, []string{"do not have mount.devfs for this jail", "is unknown", "!no devices"}},
		{"empty set", "j { mount.devfs; devfs_ruleset = 99; }", func(*cell.Cell) bool { return true }, []string{"rule set 99 is in none of ", "the system's own: what the old jail saw is unknown", "!kmem"}},
		{"set by name", "j { mount.devfs; devfs_ruleset = bhyve; }", func(*cell.Cell) bool { return true }, []string{"is not a number"}},
		{"vnet", "j { vnet; vnet.interface = e0b; ip4.addr = 192.0.2.1; }", func(c *cell.Cell) bool { return c.Jail.Network == cell.NetworkVnet && c.Jail.IP4 == nil }, []string{"vnet.interface e0b is not carried over", "a vnet jail has a network of its own"}},
		{"both families", `j { ip4.addr = "em0|192.0.2.1/24 up", "192.0.2.1"; ip6.addr = "2001:db8::1/64"; ip4 = inherit; }`,
			func(c *cell.Cell) bool { return len(c.Jail.IP4) == 1 && c.Jail.IP6[0] == "2001:db8::1" }, []string{"ifconfig_em0_alias0", "every address of the host"}},
		{"bad address", "j { ip4.addr = example.org; }", func(c *cell.Cell) bool { return c.Jail.Network == cell.NetworkNone }, []string{`"example.org" is not an address`}},
		{"other mounts", "j { mount.fdescfs; mount.noprocfs; mount.fstab = /etc/fstab.j; }", func(*cell.Cell) bool { return true }, []string{"mount.fdescfs is not carried over", "mount.fstab is not", "!procfs"}},
		{"bhyve in exec.start", "j { exec.start = '/usr/sbin/bhyve -c 2 vm'; }", func(*cell.Cell) bool { return true }, []string{"are not read from exec.start", "!are not in these files;"}},
		{"odd name", "j { } 'a b_c' { allow.vmm; }", func(*cell.Cell) bool { return true }, nil},
	} {
		in := published(t, "j")
		in.JailConf = jailconf.Source{Name: "f", Text: tc.block}
		c, warnings, err := Import(in)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if !tc.check(c) {
			t.Errorf("%s: %s", tc.name, cellfile.Encode(c))
		}
		warned(t, warnings, tc.want...)
	}

	in := published(t, "7 of 9")
	in.JailConf = jailconf.Source{Name: "f", Text: "'7 of 9' { allow.vmm; }"}
	c, _, err = Import(in)
	if err != nil || c.Name != "vm-7-of-9" {
		t.Errorf("%v, %v", c, err)
	}
}

func TestImportErrors(t *testing.T) {
	in := published(t, "nobody")
	if _, _, err := Import(in); err == nil || fault.CodeOf(err) != fault.Input || !strings.Contains(err.Error(), "bhyve-01") {
		t.Errorf("a jail that is not there: %v", err)
	}
	in.JailConf.Text = "j {\n\tpath = /x\n}"
	in.JailConf.Name = "f"
	if _, _, err := Import(in); err == nil || !strings.Contains(err.Error(), "f:3:1: ") {
		t.Errorf("a mistake without its place: %v", err)
	}
	in.JailConf.Text = "'" + strings.Repeat("x", 40) + "' { a; }"
	in.Jail = strings.Repeat("x", 40)
	if _, _, err := Import(in); err == nil || fault.HintOf(err) != "rename the jail first" {
		t.Errorf("a name that is too long: %v", err)
	}
}

func TestParseRC(t *testing.T) {
	vars, problems := parseRC("a=1 b='x y'; c=\"$a-${b}\" # d=4\ne=a\"b\"'c'\\ d\n f=\"1\\\n2\\$a\\x\"\nif true; then\ng=`id`\nh=\"open\n")
	want := map[string]string{"a": "1", "b": "x y", "c": "1-x y", "e": "abc d", "f": "12$a\\x", "g": "`id`", "h": "open\n"}
	if d := cmp.Diff(want, vars); d != "" {
		t.Error(d)
	}
	var got []string
	for _, p := range problems {
		got = append(got, p.what)
	}
	if d := cmp.Diff([]string{`"if true; then" is no assignment and is not run here`, "g: it would run a command, and that is not done here", "h: its quote is not closed"}, got); d != "" {
		t.Error(d)
	}
	if problems[0].line != 5 || problems[2].line != 7 {
		t.Errorf("lines %v", problems)
	}
	if vars, problems := parseRC("l=a\nl+=\" b\"\n"); vars["l"] != "a b" || len(problems) != 1 {
		t.Errorf("%q, %v", vars, problems)
	}
}

func FuzzParseRC(f *testing.F) {
	f.Add(file(f, "rc.conf").Text)
	f.Add("a=\"$a$a\"\na+=$a\n\\\n=\n")
	f.Fuzz(func(t *testing.T, text string) {
		vars, problems := parseRC(text)
		for name := range vars {
			if name == "" || strings.ContainsAny(name, " \n=") {
				t.Errorf("variable %q", name)
			}
		}
		for _, p := range problems {
			if p.line < 1 || p.line > 1+strings.Count(text, "\n") {
				t.Errorf("a problem on line %d", p.line)
			}
		}
	})
}

// Whatever the files hold, there is a valid cell or an error that says what to
// do.
func FuzzImport(f *testing.F) {
	in := published(f, "bhyve-01")
	f.Add(in.JailConf.Text, in.Rules[0].Text, in.RCConf.Text)
	f.Add("bhyve-01 { mount.devfs; devfs_ruleset = 1; ip4.addr = 'em0|::1'; depend = a, a; }", "[a=1]\nadd path tap0 unhide\nadd path zvol/a unhide\nadd path nmdm0B unhide\n", "jail_enable=1")
	f.Fuzz(func(t *testing.T, conf, rules, rc string) {
		in := in
		in.JailConf.Text, in.Include = conf, nil
		in.Rules = []jailconf.Source{{Name: "r", Text: rules}}
		in.RCConf = &jailconf.Source{Name: "rc", Text: rc}
		c, _, err := Import(in)
		if err != nil {
			if fault.CodeOf(err) != fault.Input {
				t.Error(err)
			}
			return
		}
		if _, mistakes := cell.Parse("x.hcl", cellfile.Encode(c)); len(mistakes) > 0 {
			t.Error(mistakes)
		}
	})
}

// What was not given is unknown, and nothing is claimed of it.
func TestImportOfHalfTheFiles(t *testing.T) {
	in := published(t, "bhyve-01")
	in.RCConf = &jailconf.Source{Name: "rc.conf", Text: "hostname=\"a\"\n"}
	in.Rules = []jailconf.Source{{Name: "rules", Text: "[bhyve=25]\nadd include 1\nadd path 'tap*' unhide\n"}}
	_, warnings, err := Import(in)
	if err != nil {
		t.Fatal(err)
	}
	warned(t, warnings, "which one is this guest's is not in these files; add", "!()", "vfs.devfs.rule_depth of the old host is unknown; 1, the default")
	in.DepthKnown = true
	if _, warnings, err = Import(in); err != nil {
		t.Fatal(err)
	}
	warned(t, warnings, "!of the old host is unknown")
	in.Rules[0].Text = "[bhyve=25]\nadd path tap3 unhide\n"
	if _, warnings, err = Import(in); err != nil {
		t.Fatal(err)
	}
	warned(t, warnings, "no bridge of this file has tap3 as a member: where the guest's packets went is unknown", "!gets anywhere")

	// An include that matches nothing is said, and is why a jail is not found.
	none := func(string, string) ([]jailconf.Source, error) { return nil, nil }
	in = published(t, "j")
	in.JailConf, in.Include = jailconf.Source{Name: "jail.conf", Text: ".include \"/etc/jail.conf.d/*.conf\";\nj { allow.vmm; }\n"}, none
	if _, warnings, err = Import(in); err != nil {
		t.Fatal(err)
	}
	warned(t, warnings, "jail.conf:1:10: nothing matches .include \"/etc/jail.conf.d/*.conf\" here: what such files say of the jail is unknown")
	in.Jail = "elsewhere"
	if _, _, err = Import(in); err == nil || !strings.Contains(fault.HintOf(err), "nothing matches .include") {
		t.Errorf("%v, hint %q", err, fault.HintOf(err))
	}
}
