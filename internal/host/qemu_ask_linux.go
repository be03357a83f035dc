package host

import (
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// ask runs QEMU for a word about itself. It has no input, no environment and
// nothing to do; an answer that does not come is no answer.
func ask(ctx context.Context, path string, arg ...string) string {
	cmd := exec.CommandContext(ctx, path, arg...)
	cmd.Env = []string{}
	cmd.Dir = "/"
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return string(out)
}

var versionLine = regexp.MustCompile(`^QEMU emulator version (\d+(?:\.\d+)+)`)

func parseVersion(out string) string {
	m := versionLine.FindStringSubmatch(out)
	if m == nil {
		return ""
	}
	return m[1]
}

// parseDataDirs reads the answer to -L help: a directory a line, written
// relative to that of the program.
func parseDataDirs(out string) []string {
	var dirs []string
	for line := range strings.Lines(out) {
		if d := strings.TrimSpace(line); filepath.IsAbs(d) {
			dirs = append(dirs, filepath.Clean(d))
		}
	}
	return dirs
}
