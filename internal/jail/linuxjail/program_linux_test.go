package linuxjail

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skep/internal/jail"
	"skep/internal/jail/seccomp"
	"skep/internal/layer"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenSpec needs nothing of this machine: its files are names, its descriptors are never opened.
func goldenSpec(m jail.Mapping) Spec {
	return Spec{
		Hostname: "cell-one", Identity: Identity{UID: 700123, GID: 700123, Mapping: m},
		Root: Root{Size: 1 << 20,
			Files: []File{
				{"/usr/bin/qemu", "/usr/bin/qemu-system-x86_64", true},
				{"/lib64/ld.so", "/lib/x86_64-linux-gnu/ld-2.36.so", true},
				{"/share/vgabios.bin", "/usr/share/seabios/vgabios.bin", false}},
			Copies: []Copy{{"/boot/kernel", os.Stdin, 8_000_000}},
			Nodes:  []Node{{"/dev/kvm", "/dev/kvm"}}},
		FDs:  []jail.FD{{Name: "qmp", File: os.Stdin}, {Name: "console", File: os.Stdin}},
		Path: "/usr/bin/qemu", Argv: []string{"qemu", "-nodefaults", "-name", `"one"`},
		Limits: []jail.Limit{{Name: "nofile", Value: 256}, {Name: "as", Value: 8 << 30}}, Layers: layer.All(),
	}
}

var goldenFacts = facts{lastCap: 2, landlockABI: 10}

func TestProgramText(t *testing.T) {
	for _, m := range []jail.Mapping{jail.ByRoot, jail.ByOwn} {
		spec := goldenSpec(m)
		if m == jail.ByOwn {
			spec.Layers = layer.Without(layer.Without(spec.Layers, layer.OwnUID), layer.NoGroups)
		}
		var none compiled
		none.Filter = make(seccomp.Filter, 20)
		p, err := build(spec, goldenFacts, spec.imagined(), none)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join("testdata", "program-"+string(m)+".golden")
		if *update {
			if err := os.WriteFile(name, []byte(p.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != p.String() {
			t.Errorf("%s (-update writes it anew):\n%s", name, cmp.Diff(string(want), p.String()))
		}
	}
}

// Whatever layers are left out, the program still loads: no row needs a result that is not there.
func TestProgramLoadsWithoutEachLayer(t *testing.T) {
	for _, m := range []jail.Mapping{jail.ByRoot, jail.ByOwn} {
		for _, l := range layer.Table {
			spec := goldenSpec(m)
			spec.Layers = layer.Without(spec.Layers, l.ID)
			p, err := build(spec, goldenFacts, spec.imagined(), compiled{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.load(20); err != nil {
				t.Errorf("without %s: %v", l.ID, err)
			}
			for _, s := range p.Steps {
				if s.Layer == l.ID {
					t.Errorf("without %s there is still %s", l.ID, s.Name)
				}
			}
		}
	}
}

func TestProgramRefusesMistakes(t *testing.T) {
	for _, steps := range [][]Step{
		{step("", "a", sysClose, "", from("b"))},
		{step("", "a", sysClose, ""), step("", "a", sysClose, "")},
	} {
		if _, err := (&Program{Steps: steps}).load(1); err == nil {
			t.Errorf("%v loads", steps)
		}
	}
}

func TestStepError(t *testing.T) {
	err := error(&jail.StepError{Layer: layer.PrivateRoot, Step: "mount-root", Errno: 1})
	if got := err.Error(); got != "cannot build the jail: step mount-root: operation not permitted" {
		t.Error(got)
	}
	if !errors.Is(err, os.ErrPermission) {
		t.Error("it is not a permission error")
	}
}
