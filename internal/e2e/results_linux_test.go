package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A sample goes in and results come out, without any network; of a results disk full of paths that lead out
// and of devices, plain files below the directory and nothing else.
func TestResults(t *testing.T) {
	k := needKernel(t)
	for _, tool := range []string{"mkfs.vfat", "mke2fs"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	t.Parallel()
	l := newLab(t)
	l.write("sample.bin", "the sample")
	hostile := l.write("hostile.tar", string(hostileTar(t)))
	l.cell("lab", `accel = "tcg"
memory = "256M"
files "in" {
  paths = ["`+l.path("sample.bin")+`", "`+hostile+`"]
}
results "fat" {
  size   = "64M"
  format = "fat"
}
results "ext" {
  size   = "64M"
  format = "ext4"
}
results "tar" {
  size = "64M"
}
`+kernelBlock(k))
	l.must(2, "results", "lab", l.path("early")) // which of them
	l.must(2, "results", "--disk", "fat", "lab", l.path("early"))
	l.must(0, "up", "lab")
	c := l.console("lab")
	c.expect(boot, "guest: ready")
	for _, order := range []string{
		"mount in iso9660 ro", "mount fat vfat rw", "mount ext ext4 rw", "put /mnt/fat/run/report with a long name.txt fine",
	} {
		c.send(order + "\n")
		c.expect(slow, "guest: ")
	}
	for _, order := range []string{
		"put /mnt/fat/report.txt fine", "put /mnt/ext/logs/report.txt fine", "link /mnt/ext/logs/link /etc/shadow", "node /mnt/ext/sda",
		"copy /mnt/in/hostile.tar tar", "unmount fat", "unmount ext",
	} {
		c.send(order + "\n")
		c.expectOne(slow, "guest: put", "guest: copied", "guest: unmounted")
	}
	// While it runs, for which it is paused, and with no other program that could read the disk.
	r := l.must(0, "results", "--disk", "tar", "lab", l.path("tar"))
	if got := below(t, l.path("tar")); !slices.Equal(got, []string{"dir/through", "report.txt"}) {
		t.Errorf("%q came out\n%s", got, r.err)
	}
	for _, want := range []string{"left out: ../../escaped: its path has .. in it", "left out: sda: it is a device", "was paused for"} {
		if !strings.Contains(r.err, want) {
			t.Errorf("it does not say %q:\n%s", want, r.err)
		}
	}
	l.must(2, "results", "--disk", "tar", "lab", l.path("tar")) // not empty
	l.must(0, "down", "lab")
	for label, want := range map[string][]string{"fat": {"report.txt"}, "ext": {"logs/report.txt"}} {
		l.must(0, "results", "--disk", label, "lab", l.path(label))
		if got := below(t, l.path(label)); !slices.Equal(slices.DeleteFunc(got, func(p string) bool {
			return strings.HasPrefix(p, "run/") || strings.HasPrefix(p, "lost+found")
		}), want) {
			t.Errorf("%s: %q came out", label, got)
		}
		if b, _ := os.ReadFile(filepath.Join(l.path(label), want[0])); string(b) != "fine" {
			t.Errorf("%s: it holds %q", label, b)
		}
	}
	l.must(0, "results", "--disk", "tar", "--tar", "lab", l.path("out.tar"))
	if r := l.must(1, "results", "--disk", "tar", "--max-files", "1", "lab", l.path("few")); !strings.Contains(r.err, "not complete") {
		t.Errorf("%s", r)
	}
	if _, err := os.Lstat("/tmp/skep-escaped"); err == nil {
		t.Error("a file came out beside the directory")
	}
	// They stay until they are asked to be removed.
	l.must(0, "rm", "--yes", "lab")
	l.must(0, "results", "--disk", "fat", "lab", l.path("again"))
	l.must(0, "disk", "rm", "--yes", "lab")
	l.must(2, "results", "--disk", "fat", "lab", l.path("gone"))
	l.nothingLeft()
}
