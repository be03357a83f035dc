package plan

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skep/internal/cell"
	"skep/internal/devfs"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/jailconf"
)

var update = flag.Bool("update", false, "write the golden files anew")

// asCells are cells that an administrator could run without skep.
var asCells = map[string]string{
	"hello": `cell "hello" {}`,
	"article": `cell "laptop-dev-03" {
  cpus   = 4
  memory = "16G"
  boot   = "uefi"
  disk "disk-01" { zvol = "tank/bhyve/laptop-dev-03/disk-01" }
  nic "lan" { tap = "tap0" }
  screen { listen = "192.168.1.2:5901" }
  console { device = "/dev/nmdm-laptop-dev-03-A" }
  jail {
    network = "shared"
    ip4     = ["192.168.1.2"]
  }
}`,
	"bridged": `cell "web" {
  boot = "/srv/web.fd"
  disk "root" {
    file = "/srv/web image.raw"
    size = "8G"
  }
  nic "lan" { bridge = "bridge0" }
  nic "dmz" { bridge = "bridge1" }
  bridge "bridge1" {
    create = true
    uplink = "em0"
  }
  screen { password_file = "/etc/skep/web's.pw" }
}`,
	"loader": `cell "fbsd" {
  boot = "loader"
  loader { env = ["boot_verbose=YES"] }
  disk "root" { file = "/srv/fbsd.img" }
}`,
	"root": `cell "old" {
  boot = "/srv/old.fd"
  jail { root = "/usr/jails/old" }
}`,
}

func asPlan(t *testing.T, text string) (*cell.Cell, *Plan) {
	t.Helper()
	c, mistakes := cell.Parse("test.hcl", []byte(text))
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	h, err := host.Reference("freebsd")
	if err != nil {
		t.Fatal(err)
	}
	p, problems := Make(c, h)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return c, p
}

func TestAsGolden(t *testing.T) {
	for name, text := range asCells {
		c, p := asPlan(t, text)
		for _, form := range Forms {
			got, err := As(form, c, p)
			if err != nil {
				t.Fatalf("%s as %s: %v", name, form, err)
			}
			file := filepath.Join("testdata/as", name+"."+form)
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("%s as %s:\n%s", name, form, d)
			}
		}
	}
}

// What is printed is read back by the readers of these files, and says what
// the plan says.
func TestAsReadBack(t *testing.T) {
	for name, text := range asCells {
		c, p := asPlan(t, text)
		prison, rules := Specs[*Prison](p)[0], Specs[*Ruleset](p)[0]

		conf, err := As("jail.conf", c, p)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := jailconf.Parse(jailconf.Source{Name: "jail.conf", Text: conf}, nil)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, conf)
		}
		j, err := parsed.Resolve(prison.Name)
		if err != nil {
			t.Fatal(err)
		}
		if path, _ := j.Value("path"); path != prison.Path || !j.Bool("mount.devfs") || !j.Bool("allow.vmm") || j.Bool("allow.mount") {
			t.Errorf("%s: %+v", name, j)
		}
		prepare, _ := j.Find("exec.prepare")
		if len(prepare.Values) < 3 || !strings.HasPrefix(prepare.Values[0], "devfs rule -s ") {
			t.Errorf("%s: a rule set that is not loaded would hide nothing: %q", name, prepare.Values)
		}

		section, err := As("devfs.rules", c, p)
		if err != nil {
			t.Fatal(err)
		}
		var l devfs.Loader
		l.Load("devfs.rules", section)
		set := l.Sets[rules.Number]
		if len(l.Problems) > 0 || set == nil {
			t.Fatalf("%s: %v\n%s", name, l.Problems, section)
		}
		want, err := rules.Rules()
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, set.Rules); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if found, ok := l.Sets.Find("skep_" + strings.ReplaceAll(c.Name, "-", "_")); !ok || found.Number != rules.Number {
			t.Errorf("%s: the set has no name for rc(8): %s", name, section)
		}
	}
}

// No secret is in any form, only where it is.
func TestAsPassword(t *testing.T) {
	c, p := asPlan(t, asCells["bridged"])
	conf, err := As("jail.conf", c, p)
	if err != nil || !strings.Contains(conf, `umask 077; sed -e 's/%/%%/g' -e s/^/pci.0.29.0.password=/ -e 1q '/etc/skep/web'\\''s.pw' > `) &&
		!strings.Contains(conf, "pci.0.29.0.password=") {
		t.Errorf("%s, %v", conf, err)
	}
}

func TestAsRefuses(t *testing.T) {
	c, p := asPlan(t, asCells["hello"])
	if _, err := As("vm.conf", c, p); fault.CodeOf(err) != fault.Input || !strings.Contains(fault.HintOf(err), "jail.conf, devfs.rules, rc.conf, bhyve") {
		t.Errorf("%v", err)
	}
	p.OS = "linux"
	if _, err := As("jail.conf", c, p); fault.CodeOf(err) != fault.Input || !strings.Contains(fault.HintOf(err), "--os freebsd") {
		t.Errorf("%v", err)
	}
	p.OS, p.Resources = "freebsd", p.Resources[:3]
	if _, err := As("bhyve", c, p); err == nil {
		t.Error("half a plan was printed")
	}
}
