package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/fault"
)

// What is asked for and cannot be written fails the command that was asked.
func TestOutputThatIsLost(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	for _, line := range []string{"version", "help", "help run", "help exit-codes", "plan --os linux hello", "explain --os freebsd hello", "ps", "show hello"} {
		var errs strings.Builder
		dir := t.TempDir()
		args := append(strings.Fields(line), "--config-dir", filepath.Join(dir, "etc"), "--state-dir", filepath.Join(dir, "state"), "--run-dir", filepath.Join(dir, "run"))
		code := Main(context.Background(), args, Streams{In: strings.NewReader(""), Out: full, Err: &errs})
		if fault.Code(code) != fault.Host || !strings.HasPrefix(errs.String(), "skep: error: cannot write ") {
			t.Errorf("%s: status %d: %s", line, code, &errs)
		}
	}
}

// fmt writes to the file that a link leads to, and leaves the link.
func TestFmtKeepsLinks(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "real.hcl"), "cell \"a\" {\ncpus=1\n}\n")
	link := filepath.Join(dir, "link.hcl")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	skep(t, "fmt", link).want(t, fault.OK)
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link: %v, %v", info, err)
	}
	if b, err := os.ReadFile(file); err != nil || !strings.Contains(string(b), "  cpus = 1\n") {
		t.Errorf("%q, %v", b, err)
	}
}

// A verb that needs a running cell says that it does not run, once.
func TestNotRunning(t *testing.T) {
	for _, verb := range []string{"console", "audit", "screenshot"} {
		s := skep(t, verb, "hello").want(t, fault.Host, "hello: it is not running\n", "skep: hint: skep up hello")
		if n := strings.Count(s.err, "cannot"); n != 1 {
			t.Errorf("%s: %q", verb, s.err)
		}
	}
}
