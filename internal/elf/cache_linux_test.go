package elf

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// ldconfig(8) reads what is written here, every library under its name.
func TestCacheIsRead(t *testing.T) {
	ldconfig, err := exec.LookPath("ldconfig")
	if err != nil {
		if ldconfig = "/sbin/ldconfig"; exec.Command(ldconfig, "-V").Run() != nil {
			t.Skip("no ldconfig here")
		}
	}
	left := []string{"/lib64/ld-linux-x86-64.so.2", "/usr/bin/qemu-system-x86_64", "/usr/lib/qemu/module.so", "/opt/libtwice.so.1", "/usr/lib/libtwice.so.1"}
	rooms := []string{"/usr/lib/libfoo.so.1.10", "/usr/lib/libfoo.so.1.9", "/lib/libbar-2.0.so.0", "/lib/libbar.so"}
	file := filepath.Join(t.TempDir(), "cache")
	if err := os.WriteFile(file, Cache(runtime.GOARCH, slices.Concat(left, rooms)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(ldconfig, "-C", file, "-p").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !strings.HasPrefix(string(out), "4 libs found") {
		t.Errorf("%s", out)
	}
	for _, p := range rooms {
		if want := filepath.Base(p) + " (libc6,"; !strings.Contains(string(out), want) || !strings.Contains(string(out), " => "+p+"\n") {
			t.Errorf("%s is not in\n%s", p, out)
		}
	}
}

// The dynamic linker finds by it what it would find by nothing else: libraries in a directory of which
// it knows nothing.
func TestCacheIsUsed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: it changes the root")
	}
	const program = "/bin/ls" // it needs more than one library
	files, err := Closure(Search{}, program)
	if err != nil || len(files) < 4 {
		t.Skipf("%s has %d files: %v", program, len(files), err)
	}
	root := t.TempDir()
	var rooms []string
	for i, f := range files {
		room := "/odd/" + filepath.Base(f.Room)
		if i == 0 {
			room = "/ls"
		} else if strings.HasPrefix(filepath.Base(f.Room), "ld-linux") {
			room = f.Room // the program names it
		}
		rooms = append(rooms, room)
		text, err := os.ReadFile(f.Host)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(root+room), 0o755)
		}
		if err == nil {
			err = os.WriteFile(root+room, text, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(root + "/odd/libc.so.6"); err != nil {
		t.Skip("this is no glibc: ", err)
	}
	run := func() ([]byte, error) {
		cmd := exec.Command("/ls", "/")
		cmd.Env = []string{}
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
		cmd.Dir = "/"
		return cmd.CombinedOutput()
	}
	if out, err := run(); err == nil {
		t.Fatalf("it is found without a cache: %s", out)
	}
	if err := os.Mkdir(root+"/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/etc/ld.so.cache", Cache(runtime.GOARCH, rooms), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run(); err != nil || !strings.Contains(string(out), "odd\n") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestCompareNames(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"libfoo.so.1.9", "libfoo.so.1.10", -1}, {"libfoo.so.2", "libfoo.so.2", 0}, {"libfoo.so", "libfoo.so.1", -1},
		{"libfoo2.so", "libfoo.so", 1}, {"liba.so", "libb.so", -1}, {"", "", 0},
	} {
		if got := compareNames(c.a, c.b); (got < 0) != (c.want < 0) || (got > 0) != (c.want > 0) {
			t.Errorf("%s and %s: %d", c.a, c.b, got)
		}
		if got := compareNames(c.b, c.a); (got < 0) != (c.want > 0) || (got > 0) != (c.want < 0) {
			t.Errorf("%s and %s: %d", c.b, c.a, got)
		}
	}
}
