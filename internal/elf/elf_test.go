package elf

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestLdConf(t *testing.T) {
	fsys := fstest.MapFS{
		"etc/ld.so.conf":            {Data: []byte("include /etc/ld.so.conf.d/*.conf\n# comment\n/opt/lib # why\ninclude ld.so.conf\n")},
		"etc/ld.so.conf.d/b.conf":   {Data: []byte("/b/lib:/b/lib64 /c/\nhwcap 1 nosegneg\n")},
		"etc/ld.so.conf.d/a.conf":   {Data: []byte("\n/a/lib=libc6\nrelative/dir\n")},
		"etc/ld.so.conf.d/ignored":  {Data: []byte("/never\n")},
		"etc/ld.so.conf.d/dir.conf": {Mode: os.ModeDir},
	}
	dirs, files := LdConf(fsys, "/etc/ld.so.conf")
	if d := cmp.Diff([]string{"/a/lib", "/b/lib", "/b/lib64", "/c", "/opt/lib"}, dirs); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"/etc/ld.so.conf", "/etc/ld.so.conf.d/a.conf", "/etc/ld.so.conf.d/b.conf"}, files); d != "" {
		t.Error(d)
	}
	if dirs, files := LdConf(fstest.MapFS{}, "/etc/ld.so.conf"); dirs != nil || files != nil {
		t.Error("a host without ld.so.conf has directories:", dirs, files)
	}
}

// hints is a file as ldconfig(8) writes it.
func hints(list string) []byte {
	b := []byte("Ehnt\x01\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	b = append(b, make([]byte, 128-len(b))...)
	b[12], b[20] = byte(len(list)+1), byte(len(list))
	return append(append(b, list...), 0)
}

func TestHints(t *testing.T) {
	got, err := Hints(hints("/lib:/usr/lib:/usr/lib/compat:/usr/local/lib"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"/lib", "/usr/lib", "/usr/lib/compat", "/usr/local/lib"}, got); d != "" {
		t.Error(d)
	}
	whole := hints("/lib")
	for n := range len(whole) - 1 {
		if _, err := Hints(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes were taken", n, len(whole))
		}
	}
}

func FuzzHints(f *testing.F) {
	f.Add(hints("/lib:/usr/lib"))
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = Hints(b) })
}

func TestGlibcDirs(t *testing.T) {
	run := "/lib/x86_64-linux-gnu/\x00/usr/lib/x86_64-linux-gnu/\x00/lib/\x00/usr/lib/\x00"
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"debian":   {"\x7fELF junk\x00" + run + "\x00rest", []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"}},
		"fedora":   {"x\x00/lib64/\x00/usr/lib64/\x00z", []string{"/lib64", "/usr/lib64"}},
		"decoy":    {"x\x00/usr/lib/locale\x00y\x00" + run, []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"}},
		"none":     {"/usr/lib", nil},
		"empty":    {"", nil},
		"one only": {"\x00/usr/lib/\x00", nil},
	} {
		if d := cmp.Diff(tt.want, glibcDirs([]byte(tt.text))); d != "" {
			t.Error(name, d)
		}
	}
}

func FuzzRead(f *testing.F) {
	if b, err := os.ReadFile("/bin/true"); err == nil && len(b) < 1<<16 {
		f.Add(b)
	}
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = read(bytes.NewReader(b)) })
}

func TestNotELF(t *testing.T) {
	p := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(p, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Closure(Search{}, p); err == nil {
		t.Error("a script has no closure")
	}
	if _, err := Closure(Search{}, p+"-missing"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// compile builds a shared object or a program, or skips the test.
func compile(t *testing.T, out, source string, arg ...string) {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler")
	}
	src := out + ".c"
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(src, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	if b, err := exec.Command(cc, append([]string{"-o", out, src}, arg...)...).CombinedOutput(); err != nil {
		t.Skipf("%s: %v\n%s", cc, err, b)
	}
}

func names(files []File) (out []string) {
	for _, f := range files {
		out = append(out, filepath.Base(f.Inside))
	}
	return out
}

// A DT_RUNPATH counts for the object that has it, a DT_RPATH for all that this
// object pulls in; $ORIGIN is the directory of the object.
func TestRunpath(t *testing.T) {
	d := t.TempDir()
	deep, near := filepath.Join(d, "deep/libdeep.so"), filepath.Join(d, "near/libnear.so")
	compile(t, deep, "int deep(void){return 1;}", "-shared", "-fPIC")
	compile(t, near, "int deep(void);int near(void){return deep();}", "-shared", "-fPIC", "-L"+filepath.Dir(deep), "-ldeep")
	link := []string{"-L" + filepath.Dir(near), "-lnear", "-Wl,-rpath-link," + filepath.Dir(deep)}
	program := "int near(void);int main(void){return near()-1;}"

	old := filepath.Join(d, "bin/old")
	compile(t, old, program, append(link, "-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN/../near:$ORIGIN/../deep")...)
	files, err := Closure(Search{}, old)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasPrefix(f.Host, d) && f.Inside != f.Host {
			t.Errorf("%s would be looked for at its place, and is put to %s", f.Host, f.Inside)
		}
	}
	if got := names(files); !slices.Contains(got, "libdeep.so") {
		t.Error("DT_RPATH is inherited:", got)
	}
	if err := exec.Command(old).Run(); err != nil {
		t.Error("the dynamic linker disagrees:", err)
	}

	young := filepath.Join(d, "bin/young")
	compile(t, young, program, append(link, "-Wl,--enable-new-dtags", "-Wl,-rpath,$ORIGIN/../near:$ORIGIN/../deep")...)
	if _, err := Closure(Search{}, young); !errors.Is(err, ErrNotFound) {
		t.Error("DT_RUNPATH is not inherited, so libdeep.so is nowhere:", err)
	}
	if err := exec.Command(young).Run(); err == nil {
		t.Error("the dynamic linker disagrees: it found libdeep.so")
	}

	// A library found through ld.so.conf is put where a linker without it looks.
	files, err = Closure(Search{Configured: []string{filepath.Dir(deep)}}, young)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(files, func(f File) bool { return f.Host == deep })
	if i < 0 || files[i].Inside == deep || filepath.Base(files[i].Inside) != "libdeep.so" {
		t.Error("rootfs of a configured library:", files)
	}
}
