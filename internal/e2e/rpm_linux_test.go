package e2e

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRPMPackage installs the rpm below a directory, with rpm itself, verifies and removes it. Its scripts are the
// deb's, which TestDebianPackage runs; here there is no shell that they could be run by.
func TestRPMPackage(t *testing.T) {
	if _, err := exec.LookPath("rpm"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs rpm, and root to install by it")
	}
	rpms, _ := filepath.Glob("../../dist/packages/skep-*.x86_64.rpm")
	if len(rpms) == 0 {
		t.Skip("there is no package: make packages makes it")
	}
	slices.SortFunc(rpms, func(a, b string) int { return made(t, b).Compare(made(t, a)) }) // the newest first
	root := t.TempDir()
	rpm := func(args ...string) string {
		t.Helper()
		return hosts(t, append([]string{"rpm", "--root", root, "--dbpath", "/rpmdb"}, args...)...)
	}
	rpm("--initdb")
	rpm("-i", "--nodeps", "--noscripts", rpms[0])
	rpm("-V", "--nodeps", "--noscripts", "skep") // sums, modes and owners of all files
	list := rpm("-ql", "skep")
	for _, path := range []string{"/usr/bin/skep", "/usr/lib/systemd/system/skep-serve.socket", "/usr/share/man/man8/skep.8.gz", "/usr/share/skep/apparmor", "/usr/lib/sysusers.d/skep.conf"} {
		if !strings.Contains(list, path+"\n") {
			t.Errorf("it lacks %s", path)
		}
	}
	if out := hosts(t, "chroot", root, "/usr/bin/skep", "version"); !strings.HasPrefix(out, "skep ") {
		t.Errorf("the program says %q", out)
	}
	unit, err := os.ReadFile(filepath.Join(root, "usr/lib/systemd/system/skep.service"))
	if err != nil || !strings.Contains(string(unit), "/usr/bin/skep up --boot") {
		t.Errorf("the unit starts another program: %v", err)
	}
	kept := filepath.Join(root, "etc/skep/cells/kept.hcl")
	if err := os.WriteFile(kept, []byte("cell \"kept\" {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	rpm("-e", "--noscripts", "skep")
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path != kept && !strings.Contains(path, "rpmdb") {
			t.Errorf("%s is left behind", path)
		}
		return nil
	})
	if _, err := os.Stat(kept); err != nil {
		t.Error("a cell file goes with the package:", err)
	}
}
