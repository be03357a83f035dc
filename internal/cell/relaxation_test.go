package cell

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRelaxations(t *testing.T) {
	c, diags := in(`boot = "loader"
loader {
  os = "/l.so"
  host_path = "/boot"
}
disk "raw" { device = "/dev/ada1" }
share "ro" {
  path = "/pub"
  read_only = true
}
share "rw" { path = "/in" }
passthru "card" { pci = "3/0/0" }
screen { listen = "192.0.2.1:5900" }
gdb { listen = "127.0.0.1:1234" }
jail {
  network = "vnet"
  root = "/usr/jails/x"
  allow_missing = ["landlock", "wx"]
}
access {
  users = ["analyst"]
  groups = ["lab", "1002"]
  may = ["console", "read"]
}
hypervisor { args = ["-S", "-x"] }`)
	if diags != nil {
		t.Fatal(diags)
	}
	var got []string
	for _, l := range c.Relaxations() {
		got = append(got, l.Pos.String()+" "+l.Path+": "+l.What)
	}
	want := []string{
		`/cells/x.hcl:4:8 loader.os: bhyveload runs the code of /l.so`,
		`/cells/x.hcl:5:15 loader.host_path: what boots the guest reads the host's directory /boot`,
		`/cells/x.hcl:7:23 disk.raw.device: the guest has the host's device /dev/ada1`,
		`/cells/x.hcl:8:1 share.ro: the guest reads the host's directory /pub`,
		`/cells/x.hcl:12:1 share.rw: the guest reads and writes the host's directory /in`,
		`/cells/x.hcl:13:1 passthru.card: the guest drives the host's PCI device 3/0/0`,
		`/cells/x.hcl:14:19 screen.listen: whoever reaches 192.0.2.1:5900 has the guest's screen and keyboard, without a password`,
		`/cells/x.hcl:15:1 gdb: whoever reaches 127.0.0.1:1234 reads and changes all of the guest`,
		`/cells/x.hcl:18:10 jail.root: the jail holds all of /usr/jails/x, and no empty root of its own`,
		`/cells/x.hcl:19:19 jail.allow_missing: the jail may do without landlock`,
		`/cells/x.hcl:19:19 jail.allow_missing: the jail may do without wx`,
		`/cells/x.hcl:21:1 access.1: user analyst and groups lab, 1002 may console, read`,
		`/cells/x.hcl:26:21 hypervisor.args: the hypervisor gets arguments that nobody checks: -S -x`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestNoRelaxation is about what looks like one and is none.
func TestNoRelaxation(t *testing.T) {
	for _, body := range []string{
		``,
		`screen {}`,
		`screen { listen = "127.0.0.1:5900" }`,
		`screen { listen = "[::1]:5900" }`,
		"screen {\nlisten = \"0.0.0.0:5900\"\npassword_file = \"p\"\n}",
		`jail { network = "vnet" }`,
		`disk "d" { file = "d" }`,
		`boot = "loader"`,
	} {
		c, diags := in(body)
		if diags != nil {
			t.Fatal(diags)
		}
		if l := c.Relaxations(); len(l) != 0 {
			t.Errorf("%s: %v", body, l)
		}
	}
	c, _ := in("jail {\nnetwork = \"shared\"\nip4 = [\"192.0.2.1\"]\n}")
	if l := c.Relaxations(); len(l) != 1 || l[0].What != "the screen, and on FreeBSD all of the hypervisor, can use the network as 192.0.2.1" {
		t.Error(l)
	}
}

func TestValidName(t *testing.T) {
	for _, good := range []string{"a", "Z", "laptop-dev-03", "a_b", "abcdefghijklmnopqrstuvwxyz012345"} {
		if err := ValidName(good); err != nil {
			t.Error(err)
		}
	}
	for bad, want := range map[string]string{
		"":                                  `invalid name "": must not be empty`,
		"..":                                `invalid name "..": must start with a letter`,
		"a/b":                               `invalid name "a/b": must consist of letters, digits, - and _`,
		"a\x1b[m":                           `invalid name "a\x1b[m": must consist of letters, digits, - and _`,
		"-rf":                               `invalid name "-rf": must start with a letter`,
		"abcdefghijklmnopqrstuvwxyz0123456": `invalid name "abcdefghijklmnopqrstuvwxyz0123456": has 33 characters, at most 32 are allowed`,
	} {
		if err := ValidName(bad); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
