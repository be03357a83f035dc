package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/companion"
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
	if skep, err = buildBoth(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// buildBoth builds skep and, beside it, the small program that its keepers and workers are.
func buildBoth(dir string) (string, error) {
	small, err := build(dir, companion.Name, "skep/cmd/skep-cell")
	if err != nil {
		return "", err
	}
	id, err := exec.Command("go", "tool", "buildid", small).Output()
	if err != nil {
		return "", fmt.Errorf("cannot find the build ID of %s: %w", small, err)
	}
	return buildWith(dir, "skep", "skep/cmd/skep", []string{"-ldflags", "-X skep/internal/companion.id=" + strings.TrimSpace(string(id))})
}

// build builds a static program.
func build(dir, name, pkg string, env ...string) (string, error) {
	return buildWith(dir, name, pkg, nil, env...)
}

func buildWith(dir, name, pkg string, flags []string, env ...string) (string, error) {
	out := filepath.Join(dir, name)
	cmd := exec.Command("go", append(append([]string{"build", "-o", out}, flags...), pkg)...)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if b, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build %s: %w\n%s", pkg, err, b)
	}
	return out, nil
}
