package elf

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A program is loaded with a stub in the place of a library, all its symbols found at once, and is ended where it calls
// one: git, the host's own linker, and zlib.
func TestStub(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("no git")
	}
	dirs, _ := LdConf(os.DirFS("/"), "/etc/ld.so.conf")
	files, err := Closure(Search{Configured: dirs}, git)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(files, func(f File) bool { return strings.HasPrefix(f.Name, "libz.so.") })
	if i < 0 {
		t.Skip("git has no zlib linked here")
	}
	b, err := Stub(files[i].Host, []*Imports{imports(t, files[0].Host)})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, files[i].Name)
	if err := os.WriteFile(path, b, 0o755); err != nil {
		t.Fatal(err)
	}
	if o, err := Read(path); err != nil || len(o.Needed) > 0 || o.Code > 3*4096 || o.Code == 0 {
		t.Errorf("%+v, %v", o, err)
	}
	run := func(env []string, arg ...string) (string, error) {
		cmd := exec.Command(git, arg...)
		cmd.Dir, cmd.Env, cmd.Stdin = dir, append(env, "LC_ALL=C", "HOME="+dir), strings.NewReader("some words")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run(nil, "init", "-q"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	with := []string{"LD_LIBRARY_PATH=" + dir, "LD_BIND_NOW=1"}
	if out, err := run(with, "--version"); err != nil || strings.Contains(out, "no version information") {
		t.Errorf("it is not loaded: %v\n%s", err, out)
	}
	var ended *exec.ExitError
	out, err := run(with, "hash-object", "-w", "--stdin")
	if !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGILL {
		t.Errorf("it called the library: %v\n%s", err, out)
	}
	if out, err := run(nil, "hash-object", "-w", "--stdin"); err != nil {
		t.Errorf("without the stub: %v\n%s", err, out)
	}
}

// There is no stub for a library whose variables are used: what would be in them?
func TestNoStub(t *testing.T) {
	dirs, _ := LdConf(os.DirFS("/"), "/etc/ld.so.conf")
	files, err := Closure(Search{Configured: dirs}, "/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(files, func(f File) bool { return strings.HasPrefix(f.Name, "libc.so.") })
	if i < 0 {
		t.Skip("the shell has no C library of that name linked here")
	}
	if _, err := Stub(files[i].Host, []*Imports{imports(t, files[0].Host)}); !errors.Is(err, ErrNoStub) {
		t.Errorf("a stub of the C library: %v", err)
	}
}

func imports(t *testing.T, file string) *Imports {
	t.Helper()
	i, err := ImportsOf(file)
	if err != nil {
		t.Fatal(err)
	}
	return i
}
