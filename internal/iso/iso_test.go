package iso

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// image writes an image of these files, each of which holds its own path.
func write(t *testing.T, dirs []string, paths ...string) []byte {
	t.Helper()
	var files []File
	for _, p := range paths {
		f := Bytes(p, []byte(p))
		f.Time = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
		f.Exec = strings.HasSuffix(p, ".sh")
		files = append(files, f)
	}
	var b bytes.Buffer
	if err := Write(&b, "cidata", files, dirs); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// isoinfo is cdrkit's reading of an image.
func isoinfo(t *testing.T, image []byte, args ...string) string {
	t.Helper()
	tool, err := exec.LookPath("isoinfo")
	if err != nil {
		t.Skip("isoinfo is not installed (apt install genisoimage)")
	}
	file := filepath.Join(t.TempDir(), "i.iso")
	if err := os.WriteFile(file, image, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tool, append([]string{"-i", file}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("isoinfo %v: %v\n%s", args, err, out)
	}
	return string(out)
}

var longest = strings.Repeat("n", 251) + ".txt"

// Another program finds all names, in both trees, and what is in the files.
func TestTrees(t *testing.T) {
	paths := []string{
		"user-data", "tools/run.sh", "tools/sub/deeper/x", "tools/a name with blanks and more than thirty characters.txt",
		"Straße/größe.txt", longest, "tools/" + longest, ".hidden", "many.dots.in.it", "UPPER.TXT", "upper.TXT",
	}
	image := write(t, []string{"empty"}, paths...)
	listed := strings.Split(strings.TrimSpace(isoinfo(t, image, "-R", "-f")), "\n")
	for _, p := range append(paths, "empty", "tools/sub/deeper") {
		if !slices.Contains(listed, "/"+p) {
			t.Errorf("Rock Ridge has no %.60s: %q", p, listed)
		}
	}
	listed = strings.Split(strings.TrimSpace(isoinfo(t, image, "-J", "-f")), "\n")
	for _, p := range []string{"user-data", "tools/run.sh", "tools/sub/deeper/x", "Stra\xdfe/gr\xf6\xdfe.txt", "UPPER.TXT", // isoinfo: Latin 1
		"tools/a name with blanks and more than thirty characters.txt", "tools/" + longest[:99] + ".txt"} {
		if !slices.Contains(listed, "/"+p) {
			t.Errorf("Joliet has no %.60s: %q", p, listed)
		}
	}
	for _, p := range paths {
		if got := isoinfo(t, image, "-R", "-x", "/"+p); got != p {
			t.Errorf("%.60s holds %.80q", p, got)
		}
	}
	if out := isoinfo(t, image, "-d"); !strings.Contains(out, "Volume id: cidata") {
		t.Errorf("the label is another:\n%s", out)
	}
	if out := isoinfo(t, image, "-R", "-l"); !strings.Contains(out, "-r-xr-xr-x   1    0    0              12 Nov 30 2026") {
		t.Errorf("mode, owner and time:\n%s", out)
	}
	if out := isoinfo(t, image, "-l"); !strings.Contains(out, "UPPER.TXT;1") || !strings.Contains(out, "UPPER1.TXT;1") {
		t.Errorf("the standard's names are not one each:\n%s", out)
	}
}

// The same files make the same image, in whatever order they are given.
func TestSame(t *testing.T) {
	a, b := write(t, []string{"d", "e"}, "x", "y/z"), write(t, []string{"e", "d"}, "y/z", "x")
	if sha256.Sum256(a) != sha256.Sum256(b) {
		t.Error("two images of the same files are not the same")
	}
}

// Ten thousand files, and names that are all cut to the same, take one open file at a time.
func TestMany(t *testing.T) {
	const n = 10_000
	open := 0
	var files []File
	for i := range n {
		text := fmt.Sprint("file ", i)
		files = append(files, File{
			Path: fmt.Sprintf("directory-%d/%s-%d.txt", i%7, strings.Repeat("x", 120), i), Size: int64(len(text)),
			Open: func() (io.ReadCloser, error) {
				if open++; open > 1 {
					t.Fatal("two files are open at once")
				}
				return closer{strings.NewReader(text), func() { open-- }}, nil
			},
		})
	}
	var b bytes.Buffer
	if err := Write(&b, "many", files, nil); err != nil {
		t.Fatal(err)
	}
	for _, tree := range []string{"-R", "-J"} {
		if got := strings.Count(isoinfo(t, b.Bytes(), tree, "-f"), ".txt\n"); got != n {
			t.Errorf("%s has %d files", tree, got)
		}
	}
	if got := isoinfo(t, b.Bytes(), "-R", "-x", "/"+files[9_999].Path); got != "file 9999" {
		t.Errorf("the last holds %q", got)
	}
}

type closer struct {
	io.Reader
	close func()
}

func (c closer) Close() error { c.close(); return nil }

// A path that no image can have, and a file that changes, are said.
func TestRefused(t *testing.T) {
	deep := strings.Repeat("d/", MaxDepth) + "f"
	for _, c := range []struct {
		paths []string
		want  string
	}{
		{[]string{"../x"}, "is not a path of names"},
		{[]string{"/x"}, "is not a path of names"},
		{[]string{"a//b"}, "is not a path of names"},
		{[]string{"a/./b"}, "is not a path of names"},
		{[]string{""}, "is not a path of names"},
		{[]string{deep}, "lies deeper than 32 directories"},
		{[]string{strings.Repeat("n", 256)}, "more than 255 bytes"},
		{[]string{"a\xff"}, "not UTF-8"},
		{[]string{"a\x00b"}, "a zero byte"},
		{[]string{"a", "a"}, "is there twice"},
		{[]string{"a", "a/b"}, "is there twice"},
		{[]string{"a/b", "a"}, "is there twice"},
	} {
		var files []File
		for _, p := range c.paths {
			files = append(files, Bytes(p, nil))
		}
		var ne *NameError
		if err := Write(io.Discard, "x", files, nil); !errors.As(err, &ne) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: %v, want %q", c.paths, err, c.want)
		}
	}
	for _, size := range []int64{1, 5} {
		f := Bytes("f", []byte("abc"))
		f.Size = size
		if err := Write(io.Discard, "x", []File{f}, nil); !errors.Is(err, errChanged) {
			t.Errorf("a file of 3 bytes that was said to have %d: %v", size, err)
		}
	}
	huge := File{Path: "f", Size: MaxFile + 1}
	if err := Write(io.Discard, "x", []File{huge}, nil); err == nil || !strings.Contains(err.Error(), "larger than 4 GiB") {
		t.Errorf("a huge file: %v", err)
	}
	many := make([]string, MaxEntries+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	if err := Write(io.Discard, "x", nil, many); err == nil || !strings.Contains(err.Error(), "more than 100000") {
		t.Errorf("too many: %v", err)
	}
	if err := Write(full{}, "x", []File{Bytes("f", make([]byte, 4<<20))}, nil); !errors.Is(err, errFull) {
		t.Errorf("onto a full disk: %v", err)
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
