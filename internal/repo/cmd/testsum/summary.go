package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// summary collects what is to be said in the end. Failures are said at once.
type summary struct {
	out, progress io.Writer
	packages      map[string]*pkg
	failed        bool
	failures      []failure
	done          int
}

// pkg is one package's tests.
type pkg struct {
	name  string
	lines []string // what the package said outside of its tests: its summary line among it
	tests map[string]*test
	skips []skip
}

// test is the output of one test until it is known to be wanted.
type test struct{ output []string }

// failure is a test that failed, or was running when its package ended, with the end of its words:
// who reads only the end of a long log finds there what failed.
type failure struct {
	pkg, test string
	output    []string
}

// words bounds how many lines of a failure are said again.
const words = 12

// skip is a test that was not run, with the words it left.
type skip struct{ pkg, test, why string }

func newSummary(out, progress io.Writer) *summary {
	return &summary{out: out, progress: progress, packages: map[string]*pkg{}}
}

func (s *summary) pkg(name string) *pkg {
	p := s.packages[name]
	if p == nil {
		p = &pkg{name: name, tests: map[string]*test{}}
		s.packages[name] = p
	}
	return p
}

func (s *summary) take(e event) {
	switch e.Action {
	case "build-output":
		fmt.Fprint(s.out, e.Output)
		return
	case "build-fail":
		s.failed = true
		return
	}
	p := s.pkg(e.Package)
	if e.Test == "" {
		s.ofPackage(p, e)
		return
	}
	t := p.tests[e.Test]
	if t == nil {
		t = &test{}
		p.tests[e.Test] = t
	}
	switch e.Action {
	case "output":
		t.output = append(t.output, e.Output)
	case "fail":
		s.fail(e.Package, e.Test, t.output)
		delete(p.tests, e.Test)
	case "skip":
		p.skips = append(p.skips, skip{e.Package, e.Test, reason(t.output)})
		delete(p.tests, e.Test)
	case "pass":
		delete(p.tests, e.Test)
	}
}

func (s *summary) ofPackage(p *pkg, e event) {
	switch e.Action {
	case "output":
		p.lines = append(p.lines, e.Output)
	case "fail":
		s.failed = true
		// A package that ended in the middle of a test (a panic, the timeout) has its reason there.
		for _, name := range sorted(p.tests) {
			s.fail(e.Package, name, p.tests[name].output)
		}
		fallthrough
	case "pass", "skip":
		s.done++
		fmt.Fprintf(s.progress, "# %d: %s %s in %.1fs\n", s.done, p.name, e.Action, e.Elapsed)
	}
}

// fail says all of a test's words now, and keeps some for the end.
func (s *summary) fail(pkg, test string, output []string) {
	s.failed = true
	fmt.Fprint(s.out, strings.Join(output, ""))
	if slices.ContainsFunc(s.failures, func(f failure) bool { return f.pkg == pkg && strings.HasPrefix(f.test, test+"/") }) {
		return // its parts have said why
	}
	s.failures = append(s.failures, failure{pkg, test, output[:min(words, len(output))]})
}

// finish prints the list of skips, what failed once more, and the summary. It is false where a skip is not allowed.
func (s *summary) finish(allowed []rule, strict bool) bool {
	var skips []skip
	for _, name := range sorted(s.packages) {
		skips = append(skips, s.packages[name].skips...)
	}
	ok := true
	if len(skips) > 0 {
		fmt.Fprintf(s.out, "\nskipped: %d\n", len(skips))
	}
	for _, k := range skips {
		mark := ""
		if strict && !slices.ContainsFunc(allowed, func(r rule) bool { return r.matches(k) }) {
			mark, ok = "NOT ALLOWED HERE: ", false
		}
		fmt.Fprintf(s.out, "  %s%s %s: %s\n", mark, k.pkg, k.test, k.why)
	}
	if !ok {
		fmt.Fprintln(s.out, "With CI=true only the tests that .ci/skips names may be skipped.")
	}
	if len(s.failures) > 0 {
		fmt.Fprintf(s.out, "\nfailed: %d\n", len(s.failures))
	}
	for _, f := range s.failures {
		fmt.Fprintf(s.out, "  %s %s\n%s", f.pkg, f.test, strings.Join(f.output, ""))
	}
	fmt.Fprintln(s.out)
	for _, name := range sorted(s.packages) {
		for _, line := range s.packages[name].lines {
			if isSummary(line) {
				fmt.Fprint(s.out, line)
			} else if strings.TrimSpace(line) != "PASS" && strings.TrimSpace(line) != "FAIL" {
				fmt.Fprint(s.progress, line)
			}
		}
	}
	if s.failed || !ok {
		fmt.Fprintln(s.out, "FAIL")
	}
	return ok && !s.failed
}

// isSummary tells go test's line about a package.
func isSummary(line string) bool {
	for _, begin := range []string{"ok  \t", "FAIL\t", "---\t", "?   \t"} {
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	return strings.Contains(line, "[no test files]") || strings.Contains(line, "coverage: 0.0%")
}

// reason is what a test said before it was skipped, without go test's own lines.
func reason(output []string) string {
	var said []string
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		// "file_test.go:12: words"
		if file, words, ok := strings.Cut(line, ": "); ok && strings.Contains(file, "_test.go:") {
			line = words
		}
		said = append(said, line)
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, " ")
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
