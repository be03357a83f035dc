package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// A result is what came of one release.
type result struct {
	Release string `json:"release"`
	QEMU    string `json:"qemu,omitempty"`
	Libc    string `json:"libc,omitempty"`
	Booted  bool   `json:"booted,omitempty"` // with its own kernel, which the next two are about
	Kernel  string `json:"kernel,omitempty"`
	Systemd string `json:"systemd,omitempty"`
	Skipped string `json:"skipped,omitempty"`
	Tests   []test `json:"tests,omitempty"`
}

// A test is how one test ended; Why is its first complaint, or the reason of a skip.
type test struct {
	Name   string `json:"name"`
	Action string `json:"action"`
	Why    string `json:"why,omitempty"`
}

// ended takes down a test, and says so.
func (r *result) ended(name, action string, said []string) {
	t := test{Name: name, Action: action}
	if action != "pass" {
		t.Why = complaint(said)
	}
	if name == "TestMatrix" && action == "skip" {
		// A release in which no cell runs has not passed by running none.
		t.Action = "fail"
	}
	r.Tests = append(r.Tests, t)
	if strings.Count(name, "/") == 2 || action != "pass" || !strings.HasPrefix(name, "TestMatrix") {
		fmt.Printf("%s: %s %s", r.Release, t.Action, t.Name)
		if t.Why != "" {
			fmt.Printf(": %s", t.Why)
		}
		fmt.Println()
	}
	if action == "fail" && strings.Contains(name, "/") {
		for _, s := range said {
			fmt.Print("    | ", s)
		}
	}
}

// complaint is the first line of a test's own.
func complaint(said []string) string {
	text := ""
	for _, s := range said {
		line := strings.TrimSpace(s)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		if _, after, ok := strings.Cut(line, ".go:"); ok {
			if _, words, ok := strings.Cut(after, ": "); ok {
				line = words
			}
		}
		if e := strings.Index(line, "skep: error: "); e >= 0 {
			return line[e:]
		}
		switch {
		case text == "":
			text = line
		case strings.HasSuffix(text, ":"): // what it is about stands below
			text += " " + line
		}
	}
	return text[:min(len(text), 300)]
}

func (r result) failures() (n int) {
	for i, t := range r.Tests {
		// One that only holds others fails with them.
		holds := i > 0 && strings.HasPrefix(r.Tests[i-1].Name, t.Name+"/")
		if t.Action == "fail" && !holds {
			n++
		}
	}
	return n
}

func firstLine(s string) string { return strings.TrimSpace(strings.SplitN(s, "\n", 2)[0]) }

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func lastWord(s string) string {
	f := strings.Fields(s)
	if len(f) == 0 {
		return ""
	}
	return f[len(f)-1]
}

// add takes down something that was looked at; why is the reason of its failure, or "".
func (r *result) add(name, why string) {
	t := test{Name: name, Action: "pass"}
	if why != "" {
		t.Action, t.Why = "fail", why
	}
	r.Tests = append(r.Tests, t)
	fmt.Printf("%s: %s %s", r.Release, t.Action, t.Name)
	if why != "" {
		fmt.Printf(": %s", why)
	}
	fmt.Println()
}

// path is where a result is kept.
func (r result) path(o options) string {
	name := r.Release + ".json"
	if r.Booted {
		name = "kernel-" + name
	}
	return filepath.Join(o.cache, "matrix", "results", name)
}

// keep writes a result down, for the table.
func (r result) keep(o options) error {
	if err := os.MkdirAll(filepath.Dir(r.path(o)), 0o755); err != nil {
		return err
	}
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(r.path(o), b, 0o644)
}

// read takes the events of go test -json.
func (r *result) read(from io.Reader, verbose bool) {
	said := map[string][]string{}
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		var e struct{ Action, Package, Test, Output string }
		if json.Unmarshal(line, &e) == nil {
			name := e.Package + " " + e.Test
			switch e.Action {
			case "output":
				if verbose || e.Test == "" && strings.Contains(e.Output, "FAIL") {
					fmt.Print(e.Output)
				}
				said[name] = append(said[name], e.Output)
			case "pass", "fail", "skip":
				if e.Test != "" {
					r.ended(e.Test, e.Action, said[name])
				}
				delete(said, name)
			}
		} else if len(line) > 0 {
			fmt.Print(string(line))
		}
		if err != nil {
			return
		}
	}
}
