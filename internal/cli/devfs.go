package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"skep/internal/devfs"
	"skep/internal/devfsctl"
	"skep/internal/fault"
)

// devfsFlags say which rules are looked at, and on what host.
type devfsFlags struct {
	files []string
	nodes string
	depth int
}

// addHost adds the flags that stand for a host that may not be at hand.
func (d *devfsFlags) addHost(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.nodes, "nodes", "", "the host's /dev: a directory, a file with a name a line, or \"typical\"")
	cmd.Flags().IntVar(&d.depth, "depth", devfs.DefaultDepth, "the host's vfs.devfs.rule_depth")
}

// typicalNodes is the word for a host that nobody asked about in particular.
const typicalNodes = "typical"

// devfsOf is the host that the flags speak of: its nodes, nil for a typical
// one, and its include depth.
func (a *app) devfsOf(d devfsFlags, depthSet bool) (nodes []devfs.Node, depth int, err error) {
	depth = d.depth
	live, err := devfsctl.Depth()
	here := err == nil
	if here && !depthSet {
		depth = live
	}
	if depth < 0 || depth > 64 {
		return nil, 0, fault.New(fault.Input, "sysctl vfs.devfs.rule_depth shows the host's", "take --depth %d", depth)
	}
	switch {
	case d.nodes == typicalNodes || d.nodes == "" && !here:
		return nil, depth, nil
	case d.nodes == "":
		nodes, err = devfs.List("/dev")
	default:
		nodes, err = readNodes(d.nodes)
	}
	if err != nil {
		return nil, 0, fault.Wrap(fault.Input, err, "", "read the nodes of a /dev")
	}
	return nodes, depth, nil
}

// readNodes lists a directory, or reads what `find /dev` or `ls` printed.
func readNodes(from string) ([]devfs.Node, error) {
	if info, err := os.Stat(from); err == nil && info.IsDir() {
		return devfs.List(from)
	}
	b, err := readRegular(from, maxCellFile)
	if err != nil {
		return nil, err
	}
	nodes := []devfs.Node{}
	seen := map[string]bool{}
	lines := bufio.NewScanner(strings.NewReader(string(b)))
	for n := 1; lines.Scan(); n++ {
		name := strings.TrimSpace(lines.Text())
		name = strings.TrimPrefix(path.Clean("/"+strings.TrimPrefix(name, "/dev")), "/")
		if name == "" || seen[name] {
			continue
		}
		if strings.ContainsAny(name, " \t:") {
			return nil, fmt.Errorf("%s:%d: %q is not the name of a node; find /dev prints such a list", from, n, name)
		}
		seen[name] = true
		nodes = append(nodes, devfs.Node{Path: name, Type: devfs.GuessType(name)})
	}
	for i, n := range nodes {
		if slices.ContainsFunc(nodes, func(o devfs.Node) bool { return strings.HasPrefix(o.Path, n.Path+"/") }) {
			nodes[i].Kind, nodes[i].Type = devfs.Directory, 0
		}
	}
	return nodes, lines.Err()
}

// loadRules reads rules files as rc(8) would at boot. FreeBSD's own stand in
// front, unless they are among the files.
func (a *app) loadRules(files []string) (*devfs.Loader, error) {
	sources, err := a.readConfs(files)
	if err != nil {
		return nil, err
	}
	l := new(devfs.Loader)
	if !slices.ContainsFunc(sources, func(s confFile) bool { return strings.Contains(s.Text, "[devfsrules_jail=") }) {
		l.Load(devfs.StockName, devfs.Stock)
	}
	for _, s := range sources {
		l.Load(s.Name, s.Text)
	}
	return l, nil
}

// readRegular reads a regular file up to a bound.
func readRegular(name string, bound int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if pe := new(fs.PathError); errors.As(err, &pe) {
		return nil, pe.Err
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("it is not a regular file (%s)", info.Mode())
	}
	b, err := io.ReadAll(io.LimitReader(f, bound+1))
	if err == nil && int64(len(b)) > bound {
		return nil, fmt.Errorf("it is larger than %d bytes", bound)
	}
	return b, err
}
