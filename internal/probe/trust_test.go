package probe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A path is trusted when nobody but its user and root can change what it names:
// not the file, not a directory on the way, not where a link leads.
func TestTrusted(t *testing.T) {
	me, group := os.Geteuid(), 54321
	mode := func(rel string, m os.FileMode) func(string) {
		return func(d string) {
			if err := os.Chmod(filepath.Join(d, rel), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := func(target, name string) func(string) {
		return func(d string) {
			if err := os.Symlink(filepath.Join(d, target), filepath.Join(d, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	chown := func(rel string, uid, gid int) func(string) {
		return func(d string) {
			if err := os.Lchown(filepath.Join(d, rel), uid, gid); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tt := range map[string]struct {
		path string
		do   []func(string)
		root bool
		want string // what the refusal says of the place in it; "" is trusted
	}{
		"as made":                  {path: "a/b/f"},
		"not there":                {path: "a/b/none/more"},
		"file for all":             {"a/b/f", []func(string){mode("a/b/f", 0o666)}, false, "a/b/f: others may write to it (mode 0666)"},
		"file for its group":       {"a/b/f", []func(string){mode("a/b/f", 0o664)}, false, "a/b/f: others may write to it (mode 0664)"},
		"directory":                {"a/b/f", []func(string){mode("a/b", 0o777)}, false, "a/b: others may write to it (mode 0777)"},
		"directory further up":     {"a/b/f", []func(string){mode("a", 0o757)}, false, "a: others may write to it (mode 0757)"},
		"not there, open":          {"a/b/none", []func(string){mode("a/b", 0o777)}, false, "a/b: others may write to it (mode 0777)"},
		"sticky on the way":        {"a/b/f", []func(string){mode("a", 0o777|os.ModeSticky)}, false, ""},
		"sticky at the end":        {"a/b", []func(string){mode("a/b", 0o777|os.ModeSticky)}, false, "a/b: others may write to it (mode 0777)"},
		"link":                     {"l/f", []func(string){link("a/b", "l")}, false, ""},
		"link through an open one": {"l/f", []func(string){link("a/b", "l"), mode("a", 0o777)}, false, "a: others may write to it (mode 0777)"},
		"link to itself":           {"l/f", []func(string){link("l", "l")}, false, "too many symbolic links"},
		"another's file":           {"a/b/f", []func(string){chown("a/b/f", 4711, 0)}, true, "a/b/f: it belongs to uid 4711"},
		"another's directory":      {"a/b/f", []func(string){chown("a", 4711, 0)}, true, "a: it belongs to uid 4711"},
		"another's link":           {"l/f", []func(string){link("a/b", "l"), chown("l", 4711, 0)}, true, "l: it belongs to uid 4711"},
		"the private group":        {"a/b/f", []func(string){chown("a/b/f", me, group), mode("a/b/f", 0o664)}, true, ""},
		"the private group, all":   {"a/b/f", []func(string){chown("a/b/f", me, group), mode("a/b/f", 0o666)}, true, "a/b/f: others may write to it (mode 0666)"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.root && me != 0 {
				t.Skip("only root can give files away")
			}
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Join(dir, "a/b"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "a/b/f"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			for _, do := range tt.do {
				do(dir)
			}
			err := trustedBy(filepath.Join(dir, tt.path), me, group)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
