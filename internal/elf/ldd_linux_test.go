package elf

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What we find in the headers is what the dynamic linker of this host loads.
func TestLdd(t *testing.T) {
	ldd, err := exec.LookPath("ldd")
	if err != nil {
		t.Skip("no ldd")
	}
	line := regexp.MustCompile(`(?m)^\s*(?:\S+ => )?(/\S+) \(0x`)
	dirs, _ := LdConf(os.DirFS("/"), "/etc/ld.so.conf")
	compared := 0
	for _, p := range []string{"/usr/bin/qemu-system-x86_64", "/usr/bin/qemu-img", "/bin/sh", "/usr/bin/ssh", "/usr/bin/python3", "/usr/sbin/useradd", "/usr/bin/git"} {
		if _, err := os.Stat(p); err != nil {
			continue
		}
		files, err := Closure(Search{Configured: dirs}, p)
		if err != nil {
			t.Error(err)
			continue
		}
		var got, want []string
		for _, f := range files[1:] {
			got = append(got, f.Host)
		}
		out, err := exec.Command(ldd, p).Output()
		if err != nil {
			continue // static
		}
		for _, m := range line.FindAllSubmatch(out, -1) {
			real, err := filepath.EvalSymlinks(string(m[1]))
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, real)
		}
		slices.Sort(got)
		slices.Sort(want)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-ldd +ours):\n%s", p, d)
		}
		compared++
	}
	if compared == 0 {
		t.Skip("nothing to compare with")
	}
}
