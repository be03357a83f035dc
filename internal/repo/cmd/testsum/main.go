// Command testsum runs go test and prints what people and scripts read of it: what failed, every
// test that was skipped with its reason, and last go test's own line for each package. Its exit
// status is go test's.
//
// With CI=true a test may be skipped only where .ci/skips names it: a machine that is set up to
// run everything must not pass by running less.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

func main() {
	allowed, err := readSkips(".ci/skips")
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(2)
	}
	status, err := run(os.Args[1:], allowed)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(2)
	}
	os.Exit(status)
}

// run runs go test with these arguments. The go command is the one that runs this program, as go
// run puts it first in PATH.
func run(args []string, allowed []rule) (int, error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	s := newSummary(os.Stdout, os.Stderr)
	if err := s.read(out); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return 0, err
	}
	status := 0
	if err := cmd.Wait(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() < 0 {
			return 0, err
		}
		status = exit.ExitCode()
	}
	if !s.finish(allowed, os.Getenv("CI") == "true") && status == 0 {
		status = 1
	}
	return status, nil
}

// event is one line of go test -json; see go doc test2json.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build output
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
}

// read takes all events to the end.
func (s *summary) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				// go test itself, before any test: a build that failed.
				fmt.Fprintf(s.out, "%s", line)
			} else {
				s.take(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
