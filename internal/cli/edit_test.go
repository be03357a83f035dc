package cli

import (
	"os"
	"strings"
	"testing"

	"skep/internal/fault"
)

// edit replaces a cell file by one without mistakes and by nothing else.
func TestEdit(t *testing.T) {
	dir := t.TempDir()
	const was = "cell \"web\" {}\n"
	file := write(t, dir+"/etc/cells/web.hcl", was)
	editor := func(script string) {
		t.Helper()
		path := write(t, dir+"/editor", "#!/bin/sh\n"+script+"\n")
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("VISUAL", path+" --flag")
	}
	has := func(want string) {
		t.Helper()
		if b, err := os.ReadFile(file); err != nil || string(b) != want {
			t.Errorf("the file is %q, %v", b, err)
		}
	}
	editor(`test "$1" = --flag`)
	skepIn(t, dir, "edit", "web").want(t, fault.OK, "as it was")
	has(was)
	editor(`echo 'cell "web" { cpus = 2 }' > "$2"`)
	skepIn(t, dir, "edit", "web").want(t, fault.OK)
	has("cell \"web\" { cpus = 2 }\n")
	editor(`echo 'cell "web" { cpuz = 2 }' > "$2"`)
	s := skepIn(t, dir, "configure", "web").want(t, fault.Input, "web.hcl:1:", "stays as it was", "what was written is in ")
	has("cell \"web\" { cpus = 2 }\n")
	_, draft, _ := strings.Cut(strings.TrimSpace(s.err), "what was written is in ")
	if b, err := os.ReadFile(draft); err != nil || !strings.Contains(string(b), "cpuz") {
		t.Errorf("%s: %q, %v", draft, b, err)
	}
	editor(`echo "cell \"web\" {}" > ` + file + `; echo 'cell "web" { cpus = 3 }' > "$2"`)
	skepIn(t, dir, "edit", "web").want(t, fault.Host, "changed meanwhile")
	has(was)
	editor("exit 1")
	skepIn(t, dir, "edit", "web").want(t, fault.Host, "EDITOR")
	skepIn(t, dir, "edit", "nobody").want(t, fault.Input, "skep new nobody")
}
