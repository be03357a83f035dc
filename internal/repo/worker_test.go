package repo

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A program that starts cells is started once more as the worker of each, and has to know that: without the call
// no cell of its starts, and a test that skips where none does would say nothing.
func TestProgramsAreTheirWorkers(t *testing.T) {
	const call = "worker.ServeIfAsked()"
	cmd := exec.Command("go", "list", "-f", `{{.Name}} {{.Dir}} {{join .Deps ","}}`, "skep/...")
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	has := func(dir, pattern string) bool {
		files, _ := filepath.Glob(filepath.Join(dir, pattern))
		return slices.ContainsFunc(files, func(f string) bool {
			b, err := os.ReadFile(f)
			return err == nil && strings.Contains(string(b), call)
		})
	}
	programs := 0
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		f := strings.SplitN(line, " ", 3)
		starts := slices.Contains(strings.Split(f[2], ","), "skep/internal/provision")
		if f[0] == "main" && starts {
			if programs++; !has(f[1], "*.go") {
				t.Errorf("%s starts cells and does not call %s", f[1], call)
			}
		}
	}
	if programs < 3 {
		t.Errorf("only %d programs were seen that start cells", programs)
	}
	for _, dir := range []string{"../cli", "../drill"} { // their tests start cells
		if !has(dir, "*_test.go") {
			t.Errorf("the tests of %s start cells and have no %s", dir, call)
		}
	}
}
