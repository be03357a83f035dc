package probe

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A bridge is found by what it is: under any name, and no other interface because of its name.
func TestBridges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("interfaces are root's")
	}
	before := bridges()
	for _, i := range []struct{ kind, name, module string }{
		{"bridge", "skeptestlan", "if_bridge"},
		{"tap", "bridge7777", "if_tuntap"},
	} {
		if err := exec.Command("kldstat", "-q", "-m", i.module).Run(); err != nil {
			t.Skipf("%s is not loaded", i.module)
		}
		if out, err := exec.Command("ifconfig", i.kind, "create", "name", i.name).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", i.kind, err, out)
		}
		defer exec.Command("ifconfig", i.name, "destroy").Run()
	}
	var made []string
	for _, b := range bridges() {
		if !slices.Contains(before, b) {
			made = append(made, b)
		}
	}
	if got := strings.Join(made, " "); got != "skeptestlan" {
		t.Errorf("bridges made: %q", got)
	}
}
