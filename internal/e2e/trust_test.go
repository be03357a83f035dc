package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// nobodys is the number of an account that no host has, and accountless says so
// of a user: cron and units leave HOME out too.
const nobodys = 4711

// as runs skep as another user with an environment of its own, in a directory.
func as(t *testing.T, uid int, dir string, env []string, args ...string) result {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, skep, args...)
	cmd.Dir, cmd.Env = dir, append([]string{}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	return result{code(t, err), out.String(), errs.String()}
}

// Without HOME nothing is looked for in whatever directory the caller stands in:
// it may be another user's, with a cell file in it.
func TestNoHomeIsNotHere(t *testing.T) {
	l := newLab(t)
	l.write(".config/skep/cells/web.hcl", "cell \"web\" { memory = \"777M\" }\n")
	for _, env := range [][]string{nil, {"HOME="}, {"HOME=."}, {"HOME=", "XDG_CONFIG_HOME=.config"}} {
		for _, args := range [][]string{{"plan", "web"}, {"run", "web"}, {"up", "--boot"}, {"ps"}} {
			r := as(t, nobodys, l.dir, env, args...)
			if r.code != 1 || !strings.Contains(r.err, "skep: error: cannot find the home directory of uid 4711") ||
				!strings.Contains(r.err, "skep: hint: set HOME") {
				t.Errorf("%v %v: %s", env, args, r)
			}
		}
		// What needs no home goes on, and a file that is named is a file that is named.
		for _, args := range [][]string{{"version"}, {"help"}, {"check", ".config/skep/cells/web.hcl"}} {
			if r := as(t, nobodys, l.dir, env, args...); r.code != 0 {
				t.Errorf("%v %v: %s", env, args, r)
			}
		}
	}
	// An account has a home, whatever the environment says: daemon's is not here. On FreeBSD it is root's, which
	// daemon may not look into.
	if r := as(t, 1, l.dir, nil, "plan", "web"); r.code != 2 && r.code != 1 || strings.Contains(r.out, "777") {
		t.Errorf("%s", r)
	}
}

// After su(1) the variables are those of whoever called it. That is said, and
// nothing of theirs is used.
func TestRuntimeDirOfAnother(t *testing.T) {
	l := newLab(t)
	for _, d := range []string{"theirs", "mine"} {
		if err := os.Mkdir(l.path(d), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(l.path("theirs"), 1001, 1001); err != nil {
		t.Skip(err)
	}
	if err := os.Chown(l.path("mine"), nobodys, nobodys); err != nil {
		t.Skip(err)
	}
	env := []string{"HOME=" + l.path("mine"), "XDG_RUNTIME_DIR=" + l.path("theirs")}
	r := as(t, nobodys, l.dir, env, "ps")
	if want := "skep: XDG_RUNTIME_DIR=" + l.path("theirs") + " is not used: it belongs to uid 1001, and this is uid 4711"; r.code != 0 || !strings.Contains(r.err, want) {
		t.Errorf("want %q: %s", want, r)
	}
	if r := as(t, nobodys, l.dir, env, "doctor"); !strings.Contains(r.out, "is not used: it belongs to uid 1001") {
		t.Errorf("%s", r)
	}
	if entries, _ := os.ReadDir(l.path("theirs")); len(entries) > 0 {
		t.Errorf("made in another user's directory: %v", entries)
	}
}

// A cell file that others may write is not obeyed, nor one in a directory where
// they may put one; doctor says which. Every way to name it by its name has the
// same door.
func TestWhatOthersMayWriteIsNotObeyed(t *testing.T) {
	for place, row := range map[string]string{
		"config":                  "no cell file in ",
		"config/cells":            "no cell file in ",
		"config/cells/web.hcl":    "the cell web is not started",
		"run":                     "no cell can run",
		"state":                   "no cell can run",
		"config/cells/linked.hcl": "the cell linked is not started",
	} {
		for _, mode := range []os.FileMode{0o775, 0o757} {
			l := newLab(t)
			l.cell("web", `start = "boot"`)
			l.cell("good", "")
			cell := "web"
			for _, d := range []string{"run", "state"} {
				if err := os.Mkdir(l.path(d), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if place == "config/cells/linked.hcl" {
				// A link leads to what anybody may have written.
				cell = "linked"
				to := l.write("elsewhere.hcl", "cell \"linked\" { start = \"boot\" }\n")
				if err := os.Symlink(to, l.path(place)); err != nil {
					t.Fatal(err)
				}
				if err := os.Remove(l.path("config/cells/web.hcl")); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(l.path(place), mode); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"up", "--boot"}, {"up", cell}, {"run", cell}, {"restart", cell}} {
				r := l.skep(args...)
				if r.code != 1 || !strings.Contains(r.err, "others may write to it") || !strings.Contains(r.err, "skep: hint: chmod go-w "+l.dir) {
					t.Errorf("%s %o: %v: %s", place, mode, args, r)
				}
			}
			if r := l.skep("doctor"); !strings.Contains(r.out, "others may write to it") || !strings.Contains(r.out, row) {
				t.Errorf("%s %o: %s", place, mode, r)
			}
		}
	}
}
