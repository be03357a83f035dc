package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The digest of a large image is found out behind its import, once, by whoever asks first, and its bytes are kept
// once. One that is removed meanwhile leaves nothing.
func TestDigestComesLater(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	raw := l.baseImage("large.raw", "large", 200<<20)
	want := "sha256:" + sha256Of(t, raw)
	for _, name := range []string{"one", "two", "three"} {
		if r := l.must(0, "image", "import", name, raw); strings.Contains(r.out, "sha256:") || !strings.Contains(r.err, "skep image show "+name) {
			t.Errorf("%s", r)
		}
	}
	l.must(0, "image", "rm", "three")
	for _, name := range []string{"two", "one"} {
		var i struct{ Digest string }
		l.try(json.Unmarshal([]byte(l.must(0, "image", "show", "--json", name).out), &i))
		if i.Digest != want {
			t.Errorf("%s is %s, want %s", name, i.Digest, want)
		}
		l.must(0, "image", "verify", name)
	}
	one, err := os.Stat(l.path("state/images/names/one.raw"))
	l.try(err)
	two, err := os.Stat(l.path("state/images/names/two.raw"))
	l.try(err)
	if !os.SameFile(one, two) {
		t.Error("the same bytes are kept twice")
	}
	l.must(0, "new", "--image", "one", "fresh")
	if b, _ := os.ReadFile(l.path("config/cells/fresh.hcl")); !strings.Contains(string(b), `image = "one"`) {
		t.Errorf("%s", b)
	}
	// A cell can start from one at once.
	l.must(0, "image", "import", "four", raw)
	l.cell("c", "accel = \"tcg\"\ndisk \"root\" {\n  image = \"four\"\n  disposable = true\n}")
	l.must(0, "up", "c")
	l.must(2, "image", "rm", "four")
	l.must(0, "kill", "c")
	l.must(0, "image", "rm", "one", "two", "four")
	eventually(t, slow, "nothing is left", func() bool {
		left, _ := filepath.Glob(l.path("state/images/*/*/*"))
		more, _ := filepath.Glob(l.path("state/images/tmp/*"))
		return len(left)+len(more) == 0
	})
	l.nothingLeft()
}
