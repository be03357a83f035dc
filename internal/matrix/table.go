package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// order is that of Debian's releases, for the table.
var order = []string{"bullseye", "bookworm", "bookworm-backports", "trixie", "trixie-backports", "sid"}

// printTable prints what was kept of all releases, as it stands in docs/matrix.md.
func printTable(w io.Writer, o options) error {
	suites, err := kept(o, false)
	if err != nil {
		return err
	}
	kernels, err := kept(o, true)
	if err != nil {
		return err
	}
	if len(suites) > 0 {
		printSuites(w, suites)
	}
	if len(kernels) > 0 {
		printKernels(w, kernels)
	}
	return nil
}

// kept reads results, in the order of the releases.
func kept(o options, booted bool) (all []result, err error) {
	for _, name := range order {
		b, err := os.ReadFile(result{Release: name, Booted: booted}.path(o))
		if os.IsNotExist(err) {
			continue
		}
		var r result
		if err == nil {
			err = json.Unmarshal(b, &r)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func printSuites(w io.Writer, all []result) {
	columns := columnsOf(all)
	fmt.Fprintf(w, "| Debian | QEMU | glibc | %s |\n", strings.Join(columns, " | "))
	fmt.Fprintf(w, "|%s\n", strings.Repeat("---|", 3+len(columns)))
	for _, r := range all {
		cells := []string{r.Release, r.QEMU, r.Libc}
		if r.Skipped != "" {
			cells = []string{r.Release, "not tried: " + escape(r.Skipped), ""}
		}
		for _, c := range columns {
			cells = append(cells, r.cell(c))
		}
		for _, t := range r.Tests {
			if t.Name == "TestMatrix" && t.Action == "fail" && len(r.Tests) == 1 && len(cells) > 3 {
				cells[3] = "failed: " + escape(t.Why)
			}
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
}

// columnsOf are the last parts of the tests' names, in the order in which they ran.
func columnsOf(all []result) (columns []string) {
	for _, r := range all {
		for _, t := range r.Tests {
			if _, column, ok := split(t.Name); ok && !slices.Contains(columns, column) {
				columns = append(columns, column)
			}
		}
	}
	return columns
}

// split takes TestMatrix/CALLER/COLUMN apart.
func split(name string) (caller, column string, ok bool) {
	f := strings.Split(name, "/")
	if len(f) != 3 || f[0] != "TestMatrix" {
		return "", "", false
	}
	return f[1], f[2], true
}

// cell is one column of one release: ok for all callers, or who failed and why. A reason that is the
// same for several is said once.
func (r result) cell(column string) string {
	var passed int
	var reasons []string
	callers := map[string][]string{}
	for _, t := range r.Tests {
		who, c, ok := split(t.Name)
		if !ok || c != column {
			continue
		}
		if t.Action == "pass" {
			passed++
			continue
		}
		reason := t.Action + "ed: " + t.Why
		if t.Action == "skip" {
			reason = "not tried: " + t.Why
		}
		if callers[reason] == nil {
			reasons = append(reasons, reason)
		}
		callers[reason] = append(callers[reason], who)
	}
	var parts []string
	if passed > 0 {
		parts = append(parts, "ok")
	}
	for _, reason := range reasons {
		parts = append(parts, strings.Join(callers[reason], ", ")+" "+escape(reason))
	}
	if len(parts) == 0 {
		return "–"
	}
	return strings.Join(parts, "; ")
}

func escape(s string) string { return strings.NewReplacer("|", "\\|", "\n", " ").Replace(s) }

// printKernels prints the releases that were booted: what was looked at, and what of it failed.
func printKernels(w io.Writer, all []result) {
	fmt.Fprint(w, "\n| Debian, booted | Linux | systemd | QEMU | seen |\n|---|---|---|---|---|\n")
	for _, r := range all {
		passed, bad := 0, []string{}
		for _, t := range r.Tests {
			if t.Action == "pass" {
				passed++
				continue
			}
			bad = append(bad, "failed: "+t.Name+": "+escape(t.Why))
		}
		seen := fmt.Sprintf("%d of %d ok", passed, len(r.Tests))
		if r.Skipped != "" {
			seen = "not tried: " + escape(r.Skipped)
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", r.Release, r.Kernel, r.Systemd, r.QEMU, strings.Join(append([]string{seen}, bad...), "; "))
	}
}
