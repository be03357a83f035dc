package probe

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"skep/internal/host"

	"github.com/google/go-cmp/cmp"
)

func live(t *testing.T) host.Facts {
	t.Helper()
	o := Options{Dirs: host.Dirs{State: filepath.Join(t.TempDir(), "state")}}
	f, err := Probe(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	warm, err := Probe(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(f, warm); d != "" {
		t.Error("cold and warm differ:", d)
	}
	return f
}

// Every fact of the list is there and says what the base tools say.
func TestProbe(t *testing.T) {
	f := live(t)
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", b)
	for _, r := range host.Doctor(f) {
		t.Logf("%-4s %-10s %s: %s (%s)", r.Status, r.Topic, r.Fact, r.Consequence, r.Fix)
	}
	if f.OS != "freebsd" || f.FreeBSD == nil || f.Memory < 1<<20 || f.Kernel == "" {
		t.Fatalf("%+v", f)
	}
	says := func(name string, arg ...string) string {
		out, err := exec.Command(name, arg...).Output()
		if err != nil {
			t.Logf("%s %v: %v", name, arg, err)
		}
		return strings.TrimSpace(string(out))
	}
	if got := says("uname", "-r"); got != f.Kernel {
		t.Errorf("uname -r says %s, we %s", got, f.Kernel)
	}
	for module, have := range map[string]bool{"vmm": f.FreeBSD.VMM, "nmdm": f.FreeBSD.NMDM, "if_tuntap": f.FreeBSD.TunTap} {
		if err := exec.Command("kldstat", "-q", "-m", module).Run(); (err == nil) != have {
			t.Errorf("kldstat -m %s: %v, we say %v", module, err, have)
		}
	}
	if got := strings.Fields(says("ifconfig", "-g", "bridge")); strings.Join(got, " ") != strings.Join(f.Bridges, " ") {
		t.Errorf("ifconfig -g bridge says %v, we %v", got, f.Bridges)
	}
	if os.Geteuid() == 0 {
		for _, n := range strings.Fields(says("devfs", "rule", "showsets")) {
			found := false
			for _, r := range f.FreeBSD.Rulesets {
				b, _ := json.Marshal(r)
				found = found || string(b) == n
			}
			if !found {
				t.Errorf("devfs shows ruleset %s, we have %v", n, f.FreeBSD.Rulesets)
			}
		}
	}
}

// The closure, and nothing else, starts bhyve and bhyvectl in an empty root.
func TestRoom(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("chroot(2) is root's")
	}
	b := live(t).FreeBSD.Bhyve
	if b == nil {
		t.Skip("no bhyve")
	}
	for _, tt := range []struct {
		files []host.File
		run   string
		arg   string
		text  string
	}{
		{b.Files, bhyvePath, "-h", "vmname"},
		{b.Ctl, bhyvectlPath, "--help", "--vm"},
		{b.Loader, bhyveloadPath, "-?", "usage"},
	} {
		if len(tt.files) == 0 {
			t.Log("not here:", tt.run)
			continue
		}
		root := t.TempDir()
		furnish(t, root, tt.files)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		cmd := exec.CommandContext(ctx, tt.run, tt.arg)
		cmd.Dir, cmd.Env = "/", []string{}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
		out, _ := cmd.CombinedOutput() // usage exits 1 or 0, as each likes
		cancel()
		if !strings.Contains(strings.ToLower(string(out)), tt.text) {
			t.Errorf("%s in the rootfs of %d files says %q", tt.run, len(tt.files), out)
		}
	}
	if len(b.ACPIFiles) > 0 {
		root := t.TempDir()
		furnish(t, root, append(append([]host.File{}, b.Files...), b.ACPIFiles...))
		cmd := exec.Command(shellPath, "-c", "/usr/sbin/iasl -v")
		cmd.Dir, cmd.Env = "/", []string{}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("iasl through sh in the rootfs: %v\n%s", err, out)
		}
	}
}
