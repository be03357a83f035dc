package cli

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
)

// maxExpanded bounds what one argument stands for: far more cells than a host
// has numbers for.
const maxExpanded = 4096

// splitFile parts an argument that is a path, "./lab.hcl@3", into the path and
// the instance.
func splitFile(arg string) (file, instance string, is bool) {
	const mark = ".hcl@"
	i := strings.LastIndex(arg, mark)
	if i < 0 || strings.Contains(arg[i+len(mark):], "/") {
		return arg, "", false
	}
	return arg[:i+len(mark)-1], arg[i+len(mark):], true
}

// split parts an argument, a name or a path, into the cell and the instance.
func split(arg string) (of, instance string, is bool) {
	if isPath(arg) {
		return splitFile(arg)
	}
	return cell.SplitInstance(arg)
}

// instanceOf is a cell as one of many; what its file says that only one cell
// can have is shown at its place.
func (a *app) instanceOf(c *cell.Cell, instance string, src []byte) (*cell.Cell, error) {
	if err := validName(c.Name + "@" + instance); err != nil {
		return nil, err
	}
	one, diags := c.Instance(instance)
	if len(diags) > 0 {
		_ = diags.Render(a.err, src)
		return nil, shownError{fault.Input}
	}
	return one, nil
}

// plainName is a name that a cell file can have.
func plainName(name string) error {
	if of, _, is := cell.SplitInstance(name); is {
		return fault.New(fault.Input, "its file is that of "+of, "use the name %s: it is an instance, and has no file of its own", name)
	}
	return validName(name)
}

// expand replaces what stands for several cells by their names: lab@{1..40} and
// lab@{a,b} by the instances that they list, lab@* by those of them that skep
// knows. A shell may have done so already; quoted, it is done here.
func (a *app) expand(dirs host.Dirs, args []string) ([]string, error) {
	names := make([]string, 0, len(args))
	for _, arg := range args {
		of, instance, is := split(arg)
		if !is || !strings.ContainsAny(instance, "{*?[") {
			names = append(names, arg)
			continue
		}
		ids, err := braces(instance)
		if err != nil {
			return nil, fault.Wrap(fault.Input, err, "lab@{1..40} and lab@{a,b} are possible", "expand %s", arg)
		}
		for _, id := range ids {
			some := []string{of + "@" + id}
			if strings.ContainsAny(id, "*?[") {
				if some, err = matching(dirs, of, id); err != nil {
					return nil, err
				}
			}
			names = append(names, some...)
		}
	}
	return names, nil
}

// matching are the instances of a cell that skep knows and a pattern matches.
// Of a cell that is known there may be none.
func matching(dirs host.Dirs, of, pattern string) (some []string, err error) {
	if isPath(of) {
		return nil, fault.New(fault.Input, "name the cell, as in lab@'*'", "use %s@%s: a pattern cannot follow a file", of, pattern)
	}
	if err := validName(of); err != nil {
		return nil, err
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, fault.New(fault.Input, "* stands for anything, ? for one character", "use the pattern %s@%s", of, pattern)
	}
	all, err := known(dirs)
	if err != nil {
		return nil, err
	}
	for _, name := range all {
		base, id, is := cell.SplitInstance(name)
		if fits, _ := path.Match(pattern, id); is && base == of && fits {
			some = append(some, name)
		}
	}
	if len(some) == 0 && !slices.Contains(all, of) && of != "hello" {
		return nil, fault.New(fault.Input, "skep ps -a lists the cells there are", "find a cell %s@%s", of, pattern)
	}
	slices.SortFunc(some, natural)
	return some, nil
}

// braces expands one list or range in braces, and what is in front and behind.
func braces(s string) ([]string, error) {
	before, rest, is := strings.Cut(s, "{")
	if !is {
		return []string{s}, nil
	}
	inside, after, closed := strings.Cut(rest, "}")
	switch {
	case !closed:
		return nil, fault.Fail(fault.Input, "", "a { is not closed")
	case strings.ContainsAny(inside, "{") || strings.ContainsAny(after, "{}"):
		return nil, fault.Fail(fault.Input, "", "only one pair of braces is possible")
	}
	parts := strings.Split(inside, ",")
	if from, to, is := strings.Cut(inside, ".."); is {
		var err error
		if parts, err = numbers(from, to); err != nil {
			return nil, err
		}
	}
	if len(parts) > maxExpanded {
		return nil, tooMany(len(parts))
	}
	for i, p := range parts {
		parts[i] = before + p + after
	}
	return parts, nil
}

func tooMany(n int) error {
	return fault.Fail(fault.Input, "", "it stands for %d cells, at most %d are possible", n, maxExpanded)
}

// numbers counts from one number to another; both with a leading zero, as in
// 01..40, all are as wide.
func numbers(from, to string) (all []string, err error) {
	a, err1 := strconv.ParseUint(from, 10, 31)
	b, err2 := strconv.ParseUint(to, 10, 31)
	if err1 != nil || err2 != nil {
		return nil, fault.Fail(fault.Input, "", "%s..%s is not a range of numbers", from, to)
	}
	width := 0
	if strings.HasPrefix(from, "0") && len(from) > 1 || strings.HasPrefix(to, "0") && len(to) > 1 {
		width = max(len(from), len(to))
	}
	step, n := 1, int(b)-int(a)
	if n < 0 {
		step, n = -1, -n
	}
	if n >= maxExpanded {
		return nil, tooMany(n + 1)
	}
	for i := range n + 1 {
		s := strconv.Itoa(int(a) + i*step)
		all = append(all, strings.Repeat("0", max(width-len(s), 0))+s)
	}
	return all, nil
}
