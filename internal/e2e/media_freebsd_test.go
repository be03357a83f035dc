package e2e

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestCellMedia: files and a seed are images that bhyve has open to read, and that have no name afterwards.
func TestCellMedia(t *testing.T) {
	l := clean(t)
	l.write("in/a.txt", "sample")
	l.cell("lab", `files "in" {
  paths = ["`+l.path("in")+`/"]
  as    = "iso"
}
seed {
  hostname  = "lab-1"
  user_data = "#cloud-config\n# s3cr3t-word\n"
}`)
	l.must(0, "up", "lab")
	l.audit(0, "lab")
	s := l.show("lab")
	open, _ := exec.Command("procstat", "fd", strconv.Itoa(s.PID)).Output()
	for _, name := range []string{"in", "seed"} {
		if !regexp.MustCompile(`(?m) v r r-------.*/disk/` + name + `$`).Match(open) {
			t.Errorf("bhyve has not image %s open to read:\n%s", name, open)
		}
	}
	if s.Reach == nil || s.Reach.Nodes != 0 {
		t.Errorf("the rootfs holds %+v", s.Reach)
	}
	l.must(0, "down", "lab")
	_ = filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".iso") {
			t.Errorf("%s is left", path)
		}
		if b, err := os.ReadFile(path); err == nil && !strings.HasSuffix(path, "lab.hcl") && bytes.Contains(b, []byte("s3cr3t-word")) {
			t.Errorf("what the seed says is in %s", path)
		}
		return nil
	})
}

// TestCellImage: an image is taken in by a jailed reader, checked, and copied by another.
func TestCellImage(t *testing.T) {
	l := clean(t)
	data := bytes.Repeat([]byte("image "), 100_000)
	l.write("a.raw", string(data)+strings.Repeat("\x00", 1<<20-len(data)%(1<<20)))
	want, err := os.ReadFile(l.path("a.raw"))
	if err != nil {
		t.Fatal(err)
	}
	l.must(0, "image", "import", "mine", l.path("a.raw"))
	l.must(0, "image", "verify", "mine")
	l.must(0, "image", "export", "mine", l.path("out.raw"))
	l.cell("a", "disk \"d\" { file = \""+l.path("a.raw")+"\" }")
	l.must(0, "up", "a")
	l.must(0, "disk", "copy", "a", "d", l.path("copy.raw"))
	l.must(0, "down", "a")
	for _, name := range []string{"out.raw", "copy.raw"} {
		if got, err := os.ReadFile(l.path(name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s has %d bytes of %d, or others: %v", name, len(got), len(want), err)
		}
	}
}
