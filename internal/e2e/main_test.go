package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// skep is the program under test, built once, or the one that envProgram names
// on a machine without Go.
var skep string

const envProgram = "SKEP_TEST_PROGRAM"

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	became()
	dir, err := os.MkdirTemp("", "skep-e2e-")
	if err == nil {
		// An ordinary user runs it too.
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if skep = os.Getenv(envProgram); skep != "" {
		return m.Run()
	}
	if skep, err = build(dir, "skep", "skep/cmd/skep"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build builds a static program.
func build(dir, name, pkg string, env ...string) (string, error) {
	out := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-o", out, pkg)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if b, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build %s: %w\n%s", pkg, err, b)
	}
	return out, nil
}
