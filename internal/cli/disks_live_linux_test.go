package cli

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/fault"
)

// pattern is a disk's worth of bytes that begin with text.
func pattern(t *testing.T, path, text string, size int) string {
	t.Helper()
	return write(t, path, text+strings.Repeat("\x00", size-len(text)))
}

func begins(t *testing.T, path, text string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(b, []byte(text)) {
		t.Errorf("%s does not begin with %q (%v)", filepath.Base(path), text, err)
	}
}

func needImageTool(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip(err)
	}
}

// The image store by its verbs, and what a cell's layers make of an image.
func TestImagesByTheirVerbs(t *testing.T) {
	needImageTool(t)
	dir := live(t)
	file := pattern(t, dir+"/a.raw", "of the image", 1<<20)
	skepIn(t, dir, "image", "import", "a", file, "--format", "raw").want(t, fault.OK)
	skepIn(t, dir, "image", "import", "a", file, "--format", "raw").want(t, fault.Input, "a")
	has(t, "ls", skepIn(t, dir, "image", "ls").want(t, fault.OK), "a", "1M")
	has(t, "ls --json", skepIn(t, dir, "image", "ls", "--json").want(t, fault.OK), `"name": "a"`)
	has(t, "show", skepIn(t, dir, "image", "show", "a").want(t, fault.OK), "sha256")
	skepIn(t, dir, "image", "show", "nosuch").want(t, fault.Input, "nosuch")
	skepIn(t, dir, "image", "verify", "a").want(t, fault.OK)
	skepIn(t, dir, "image", "export", "a", dir+"/out.raw").want(t, fault.OK)
	begins(t, dir+"/out.raw", "of the image")

	write(t, dir+"/etc/cells/web.hcl", "cell \"web\" {\n accel = \"tcg\"\n disk \"root\" {\n  image = \"a\"\n }\n}\n")
	skepIn(t, dir, "up", "web").want(t, fault.OK)
	skepIn(t, dir, "image", "rm", "a").want(t, fault.Input, "web")
	has(t, "disk ls", skepIn(t, dir, "disk", "ls", "web").want(t, fault.OK), "root", "layer")
	skepIn(t, dir, "kill", "web").want(t, fault.OK)
	skepIn(t, dir, "rm", "web", "--disks").want(t, fault.Input, "without being sure")
	skepIn(t, dir, "disk", "rm", "web", "root", "--yes").want(t, fault.OK)
	write(t, dir+"/etc/cells/web.hcl", "cell \"web\" {}\n")
	skepIn(t, dir, "image", "rm", "a").want(t, fault.OK)
	if s := skepIn(t, dir, "image", "ls").want(t, fault.OK); strings.Contains(s.out, "sha256") {
		t.Errorf("it is still there:\n%s", s.out)
	}
}

// Snapshots of a cell that does not run: made, listed, gone back to and removed.
func TestSnapshotsByTheirVerbs(t *testing.T) {
	needImageTool(t)
	dir := live(t)
	raw := dir + "/data.img"
	write(t, dir+"/etc/cells/web.hcl", "cell \"web\" {\n accel = \"tcg\"\n disk \"data\" {\n  file = \""+raw+"\"\n  size = \"1M\"\n }\n}\n")
	skepIn(t, dir, "up", "web").want(t, fault.OK)
	skepIn(t, dir, "snapshot", "web", "running").want(t, fault.Input, "qcow2")
	skepIn(t, dir, "kill", "web").want(t, fault.OK)
	pattern(t, raw, "before", 1<<20)
	skepIn(t, dir, "snapshot", "web", "clean").want(t, fault.OK)
	skepIn(t, dir, "snapshot", "web", "clean").want(t, fault.Input, "clean")
	has(t, "ls", skepIn(t, dir, "snapshot", "ls", "web").want(t, fault.OK), "clean", "disks")
	has(t, "ls --json", skepIn(t, dir, "snapshot", "ls", "--json", "web").want(t, fault.OK), `"clean"`)
	pattern(t, raw, "after", 1<<20)
	skepIn(t, dir, "revert", "web", "nosuch").want(t, fault.Input, "nosuch")
	skepIn(t, dir, "revert", "web", "clean").want(t, fault.OK)
	begins(t, raw, "before")
	skepIn(t, dir, "snapshot", "rm", "web", "clean").want(t, fault.OK)
	has(t, "ls", skepIn(t, dir, "snapshot", "ls", "web").want(t, fault.OK), "")
}

// A clone has disks of its own, a cell of another name keeps them, a disk is copied and grows, and what a guest
// has written as a tar comes out as plain files.
func TestDisksByTheirVerbs(t *testing.T) {
	dir := live(t)
	raw := pattern(t, dir+"/data.img", "the data", 1<<20)
	write(t, dir+"/etc/cells/web.hcl", "cell \"web\" {\n accel = \"tcg\"\n disk \"data\" {\n  file = \""+raw+"\"\n }\n results \"out\" {}\n}\n")
	skepIn(t, dir, "up", "web").want(t, fault.OK)
	skepIn(t, dir, "disk", "copy", "web", "data", dir+"/copy.img").want(t, fault.OK)
	begins(t, dir+"/copy.img", "the data")
	skepIn(t, dir, "disk", "copy", "web", "nosuch", dir+"/no.img").want(t, fault.Input, "nosuch")
	skepIn(t, dir, "clone", "web", "two").want(t, fault.Input, "running")
	skepIn(t, dir, "rename", "web", "www").want(t, fault.Input, "running")
	skepIn(t, dir, "kill", "web").want(t, fault.OK)

	has(t, "disk ls", skepIn(t, dir, "disk", "ls", "web").want(t, fault.OK), "data", "results")
	skepIn(t, dir, "disk", "grow", "web", "data", "2M").want(t, fault.OK)
	if i, err := os.Stat(raw); err != nil || i.Size() != 2<<20 {
		t.Errorf("the disk did not grow: %v", err)
	}
	skepIn(t, dir, "clone", "web", "two").want(t, fault.OK)
	begins(t, dir+"/two-data.img", "the data")
	skepIn(t, dir, "clone", "web", "two").want(t, fault.Input, "two")
	skepIn(t, dir, "rename", "web", "www").want(t, fault.OK)
	skepIn(t, dir, "show", "web").want(t, fault.Input, "web")
	has(t, "disk ls", skepIn(t, dir, "disk", "ls", "--json", "www").want(t, fault.OK), `"data"`)

	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range []string{"report.txt", "../escaped"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: 6}); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte("result"))
	}
	_ = w.Close()
	var out struct{ Disks []struct{ Name, Path string } }
	if err := json.Unmarshal([]byte(skepIn(t, dir, "disk", "ls", "--json", "www").out), &out); err != nil {
		t.Fatal(err)
	}
	for _, d := range out.Disks {
		if d.Name == "out" {
			f, err := os.OpenFile(d.Path, os.O_WRONLY, 0)
			if err == nil {
				_, err = f.Write(b.Bytes())
				_ = f.Close()
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
	s := skepIn(t, dir, "results", "www", dir+"/results")
	begins(t, dir+"/results/report.txt", "result")
	if _, err := os.Stat(dir + "/escaped"); err == nil {
		t.Errorf("a file lies beside the directory of results:\n%s%s", s.out, s.err)
	}
	skepIn(t, dir, "results", "www", "nosuch", dir+"/other").want(t, fault.Input)
}
