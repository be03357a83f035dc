package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDebianPackage installs the package in a userland that is thrown away, upgrades it while a guest runs and
// removes it. make packages makes the package; make matrix runs this where dpkg may do as it likes.
func TestDebianPackage(t *testing.T) {
	if os.Getenv("SKEP_MATRIX") == "" {
		t.Skip("changes the host's packages: make packages; make matrix SUITES=trixie TESTS=TestDebianPackage")
	}
	debs, _ := filepath.Glob("../../dist/packages/skep_*_amd64.deb")
	if len(debs) == 0 {
		t.Fatal("there is no package: make packages makes it")
	}
	slices.SortFunc(debs, func(a, b string) int { return made(t, b).Compare(made(t, a)) }) // the newest first
	const file = "/etc/skep/cells/kept.hcl"
	hosts(t, "dpkg", "-i", debs[0])
	files := packaged(t)
	if err := os.WriteFile(file, []byte("cell \"kept\" {\n accel = \"tcg\"\n boot = \"hello\"\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	hosts(t, "skep", "up", "kept")
	t.Cleanup(func() { exec.Command("pkill", "-9", "-f", "process=skep-kept").Run() })
	before := keptPID(t)

	hosts(t, "dpkg", "-i", newer(t, debs[0]))
	if out := hosts(t, "dpkg-query", "-W", "-f", "${Version}", "skep"); !strings.HasSuffix(out, "+newer") {
		t.Errorf("the version after the upgrade is %q", out)
	}
	if after := keptPID(t); after != before {
		t.Errorf("the upgrade has ended the guest: its hypervisor was %s, and is %s", before, after)
	}
	hosts(t, "skep", "audit", "kept")

	hosts(t, "dpkg", "-r", "skep")
	if err := exec.Command("pgrep", "-f", "process=skep-kept").Run(); err == nil {
		t.Error("the guest runs after the package was removed")
	}
	for _, path := range files {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is left behind", path)
		}
	}
	out := hosts(t, "dpkg", "-P", "skep")
	if _, err := os.Stat(file); err != nil || !strings.Contains(out, "/etc/skep is kept") {
		t.Errorf("the cell file: %v; dpkg says:\n%s", err, out)
	}
}

// hosts runs one of the userland's programs, which has to succeed.
func hosts(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

// packaged are the files of the installed package; each is there.
func packaged(t *testing.T) []string {
	t.Helper()
	var files []string
	for path := range strings.FieldsSeq(hosts(t, "dpkg", "-L", "skep")) {
		i, err := os.Lstat(path)
		if err != nil && !strings.HasPrefix(path, "/usr/share/doc/") && !strings.HasPrefix(path, "/usr/share/man/") {
			t.Errorf("not installed: %v", err) // a small userland leaves documentation out
		}
		if err == nil && !i.IsDir() {
			files = append(files, path)
		}
	}
	if len(files) < 8 {
		t.Fatalf("the package has only %d files: %q", len(files), files)
	}
	return files
}

func keptPID(t *testing.T) string {
	t.Helper()
	for range 50 {
		if out, err := exec.Command("pgrep", "-f", "process=skep-kept").Output(); err == nil {
			return strings.TrimSpace(string(out))
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatalf("the cell does not run:\n%s", hosts(t, "skep", "ps", "--all"))
	return ""
}

// made says when a package was made.
func made(t *testing.T, deb string) time.Time {
	t.Helper()
	i, err := os.Stat(deb)
	if err != nil {
		t.Fatal(err)
	}
	return i.ModTime()
}

// newer is the same package with a later version.
func newer(t *testing.T, deb string) string {
	t.Helper()
	dir := t.TempDir()
	tree, control := filepath.Join(dir, "tree"), filepath.Join(dir, "tree", "DEBIAN", "control")
	hosts(t, "dpkg-deb", "-R", deb, tree)
	b, err := os.ReadFile(control)
	if err != nil {
		t.Fatal(err)
	}
	version := hosts(t, "dpkg-deb", "-f", deb, "Version")
	old := "Version: " + strings.TrimSpace(version) + "\n"
	changed := strings.Replace(string(b), old, fmt.Sprintf("Version: %s+newer\n", strings.TrimSpace(version)), 1)
	if changed == string(b) {
		t.Fatalf("no %q in\n%s", old, b)
	}
	if err := os.WriteFile(control, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "newer.deb")
	hosts(t, "dpkg-deb", "--root-owner-group", "-b", tree, out)
	return out
}
