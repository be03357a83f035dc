package probe

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"skep/internal/host"
)

// askFor is how long QEMU may take to say a word about itself. On a busy host
// that has just been booted, on emulated hardware, that was seen to be minutes.
const askFor = 3 * time.Minute

// An answer is what QEMU said of itself, or how it ended instead.
type answer struct {
	out, errs string
	err       error
	late      bool
	within    time.Duration
}

// ask runs QEMU for a word about itself. It has no input, no environment and
// nothing to do.
func ask(ctx context.Context, within time.Duration, path string, arg ...string) answer {
	return askWith(ctx, within, []string{}, path, arg...)
}

// askWith is ask with an environment.
func askWith(ctx context.Context, within time.Duration, env []string, path string, arg ...string) answer {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, arg...)
	cmd.Env = env
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	return answer{out.String(), errs.String(), err, ctx.Err() == context.DeadlineExceeded, within}
}

// why says what came instead of an answer.
func (a answer) why(path string, arg ...string) host.QEMUTried {
	t := host.QEMUTried{Path: path, Fault: host.QEMUBroken}
	asked := strings.Join(append([]string{path}, arg...), " ")
	said := lastLine(a.errs)
	switch {
	case a.late:
		t.Fault, t.Why = host.QEMUSilent, fmt.Sprintf("%s did not answer within %s", asked, a.within)
	case a.err == nil:
		t.Fault, t.Why = host.QEMUAlien, asked+" does not answer like QEMU"
	case said != "":
		t.Why, t.Library = fmt.Sprintf("%s fails: %s", asked, said), loaderNames(said)
	default:
		t.Why = fmt.Sprintf("%s fails: %s", asked, strings.TrimPrefix(a.err.Error(), "fork/exec "+path+": "))
	}
	return t
}

// lastLine is the last line that holds anything, bounded.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	return strings.ToValidUTF8(last[:min(len(last), 300)], "")
}

// What the dynamic loaders of glibc and musl say of a library.
var loaderLines = sync.OnceValue(func() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile(`error while loading shared libraries: ([^:\s]+): `),
		regexp.MustCompile(`symbol lookup error: ([^:\s]+): `),
		regexp.MustCompile(`Error loading shared library ([^:\s]+): `),
		regexp.MustCompile(`Error relocating ([^:\s]+): `),
	}
})

// loaderNames is the library that a loader's complaint is about, or "".
func loaderNames(line string) string {
	for _, r := range loaderLines() {
		if m := r.FindStringSubmatch(line); m != nil {
			return m[1]
		}
	}
	return ""
}

var versionLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^QEMU emulator version (\d+(?:\.\d+)+)`) })

func parseVersion(out string) string {
	m := versionLine().FindStringSubmatch(out)
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
