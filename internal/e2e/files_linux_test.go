package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A guest without any network reads the files it was given, and cannot write to them; nobody else has their
// image, and nothing of it is left.
func TestFilesIn(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	sample := strings.Repeat("sample ", 100_000)
	long := strings.Repeat("long", 50) + ".txt"
	l.write("sample.bin", sample)
	l.write("tools/run.sh", "#!/bin/sh\n")
	l.try(os.Chmod(l.path("tools/run.sh"), 0o755))
	l.write("tools/sub/"+long, "deep")
	l.cell("lab", `accel = "tcg"
memory = "256M"
files "in" {
  paths = ["`+l.path("sample.bin")+`", "`+l.path("tools")+`/"]
  as    = "iso"
}
seed {
  hostname  = "lab-1"
  user_data = <<-EOT
    #cloud-config
    password: s3cr3t-word
  EOT
}
`+kernelBlock(k))
	l.must(0, "check", "lab")
	l.must(0, "up", "lab")
	c := l.console("lab")
	c.expect(boot, "guest: ready")
	c.send("mount in iso9660 ro\n")
	c.expect(slow, "guest: mounted in")
	c.send("tree /mnt/in\n")
	c.expect(slow, "guest: 3 files in /mnt/in")
	for _, want := range []string{
		fmt.Sprintf("/mnt/in/sample.bin -r--r--r-- %x", sha256.Sum256([]byte(sample))),
		fmt.Sprintf("/mnt/in/tools/run.sh -r-xr-xr-x %x", sha256.Sum256([]byte("#!/bin/sh\n"))),
		fmt.Sprintf("/mnt/in/tools/sub/%s -r--r--r-- %x", long, sha256.Sum256([]byte("deep"))),
	} {
		if !strings.Contains(c.out.String(), want) {
			t.Errorf("the guest does not see %.80s", want)
		}
	}
	c.send("mount seed iso9660 ro\ntree /mnt/seed\n")
	c.expect(slow, "guest: 2 files in /mnt/seed")
	c.send("copy /init in\n")
	c.expect(slow, "guest: copy failed")

	if r := l.must(0, "audit", "lab"); !strings.Contains(r.out, "4 image") {
		t.Errorf("the audit does not see the images, each by its set and by its node:\n%s", r.out)
	}
	noImages(t, l)
	secretNowhere(t, l, "s3cr3t-word")
	for _, args := range [][]string{{"plan", "lab"}, {"plan", "--json", "lab"}, {"show", "lab"}, {"show", "--json", "lab"}, {"explain", "lab"}} {
		if r := l.must(0, args...); strings.Contains(r.out+r.err, "s3cr3t-word") {
			t.Errorf("skep %v shows what the seed says", args)
		}
	}
	l.must(0, "drill", "lab")
	l.must(0, "down", "lab")
	noImages(t, l)
	l.nothingLeft()
}

// noImages: an image has no name.
func noImages(t *testing.T, l *lab) {
	t.Helper()
	_ = filepath.WalkDir(l.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".iso") {
			t.Errorf("%s is there", path)
		}
		return nil
	})
}

// secretNowhere: what a seed says is on no command line, and in no journal or log.
func secretNowhere(t *testing.T, l *lab, secret string) {
	t.Helper()
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range lines {
		if b, err := os.ReadFile(p); err == nil && strings.Contains(string(b), secret) {
			t.Errorf("%s has it", p)
		}
	}
	_ = filepath.WalkDir(l.dir, func(path string, d os.DirEntry, err error) error {
		base := filepath.Base(path)
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(base, ".hcl") || base == "detail.json" {
			return nil // whoever adopts the cell has to know it; nobody but skep's user may enter its directory
		}
		if b, err := os.ReadFile(path); err == nil && strings.Contains(string(b), secret) {
			t.Errorf("%s has it", path)
		}
		return nil
	})
}

// Whatever cannot be given to a guest is said with its place in the cell file, and all of it at once.
func TestFilesMistakes(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.write("ok", "x")
	l.try(os.MkdirAll(l.path("dir"), 0o755))
	l.try(os.Symlink("/etc/shadow", l.path("dir/link")))
	l.try(unix.Mkfifo(l.path("dir/fifo"), 0o600))
	l.write("zero", "a\nb\x00c\n")
	deep := "deep" + strings.Repeat("/d", 40)
	l.try(os.MkdirAll(l.path(deep), 0o755))
	l.cell("bad", `files "in" {
  paths = ["`+l.path("ok")+`", "`+l.path("nosuch")+`", "`+l.path("dir")+`", "`+l.path("deep")+`"]
}
seed {
  user_data = "`+l.path("zero")+`"
  network   = "`+l.path("nosuch.yaml")+`"
}
disk "root" {
  file = "`+l.path("none.img")+`"
}
`)
	r := l.must(2, "up", "bad")
	for _, want := range []string{
		"cannot give the guest " + l.path("nosuch") + ": it does not exist (" + l.path("config/cells/bad.hcl") + ":3:11)",
		l.path("dir/link") + ": it is a symbolic link",
		l.path("dir/fifo") + ": it is not a regular file",
		"it lies deeper than 32 directories",
		"cannot use " + l.path("zero") + ": line 2 has a zero byte (" + l.path("config/cells/bad.hcl") + ":6:15)",
		"cannot use " + l.path("nosuch.yaml") + ": no such file or directory",
		"bad.hcl:7:15)",
		"bad.hcl:10:10)",
	} {
		if !strings.Contains(r.err, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if t.Failed() {
		t.Log(r.err)
	}
	l.nothingLeft()
}

// Ten thousand files are an image like any other.
func TestFilesMany(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	for i := range 10_000 {
		l.write(fmt.Sprintf("many/%d/file-%d", i%100, i), fmt.Sprint(i))
	}
	l.cell("many", `accel = "tcg"
memory = "256M"
files "in" {
  paths = ["`+l.path("many")+`"]
}
`+kernelBlock(k))
	l.must(0, "up", "many")
	c := l.console("many")
	c.expect(boot, "guest: ready")
	c.send("mount in iso9660 ro\ntree /mnt/in\n")
	c.expect(boot, "guest: 10000 files in /mnt/in")
	l.must(0, "kill", "many")
	l.nothingLeft()
}
