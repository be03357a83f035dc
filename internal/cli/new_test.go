package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"skep/internal/fault"
)

// new fills in what it is told, finds out what an image is, and refuses what
// would not be a good cell file before it writes one.
func TestNewFilled(t *testing.T) {
	dir := t.TempDir()
	image := write(t, dir+"/web.img", "QFI\xfb and more")
	iso := write(t, dir+"/install.raw", strings.Repeat("\x00", 0x8001)+"CD001")
	skepIn(t, dir, "new", "--memory", "2G", "--image", image, "--disk", "1G", "web").want(t, fault.OK, "!warning")
	file := dir + "/etc/cells/web.hcl"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n  memory = \"2G\"\n", "\n  boot = \"uefi\"\n", image, "\"qcow2\"\n", "size = \"1G\"\n"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%q is not in\n%s", want, b)
		}
	}
	skepIn(t, dir, "check", "web").want(t, fault.OK)
	if s := skepIn(t, dir, "new", "--stdout", "--image", iso, "x").want(t, fault.OK); !strings.Contains(s.out, `iso = "`+iso) {
		t.Error(s.out)
	}
	for args, want := range map[string]string{
		"--memory 2X bad":             `"2X"`,
		"--disk lots bad":             `"lots"`,
		"--image " + dir + "/no bad":  "no such file",
		"--image " + dir + " bad":     "not a regular file",
		"--memory 1G --disk -5G bad":  "-5G",
		"--memory 2G " + file:         "it already exists",
		"--memory 2G ./nodir/bad.hcl": "no directory",
	} {
		skepIn(t, dir, append([]string{"new"}, strings.Fields(args)...)...).want(t, fault.Input, want)
		if exists(dir + "/etc/cells/bad.hcl") {
			t.Fatalf("new %s wrote a file", args)
		}
	}
}

// A file of that name takes the place of the built-in guest.
func TestNewHelloWarns(t *testing.T) {
	skep(t, "new", "hello").want(t, fault.OK, "warning: from now on skep run hello runs the cell of this file")
}

// A cell file is no more open than its user's umask lets it be: there may be keys and passwords in it.
func TestNewKeepsUmask(t *testing.T) {
	dir := t.TempDir()
	defer syscall.Umask(syscall.Umask(0o077))
	skepIn(t, dir, "new", "web").want(t, fault.OK)
	info, err := os.Stat(dir + "/etc/cells/web.hcl")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(dir + "/etc/cells/.*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
