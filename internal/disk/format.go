package disk

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/plan"
)

// formatters make an empty file system on a new file, the first of them that a host has. None of them reads
// what a guest has written. LABEL and CLUSTER stand for what is the disk's own.
var formatters = map[cell.ResultsFormat]struct {
	tools [][]string
	hint  string
}{
	cell.ResultsFAT: {[][]string{{"mkfs.vfat", "-F", "32", "-n", "LABEL"}, {"newfs_msdos", "-F", "32", "-c", "CLUSTER", "-L", "LABEL"}},
		"apt install dosfstools, or let the guest write a tar archive: format = \"tar\""},
	cell.ResultsExt4: {[][]string{{"mke2fs", "-q", "-t", "ext4", "-L", "LABEL"}},
		"apt install e2fsprogs (FreeBSD: pkg install e2fsprogs), or let the guest write a tar archive: format = \"tar\""},
}

// format makes an empty file system of a new disk for results; a tar archive needs none.
func format(path string, d *plan.Disk) error {
	as, label := d.Results, d.Label
	if as == cell.ResultsTar {
		return nil
	}
	if as == cell.ResultsFAT {
		label = strings.ToUpper(label)
		label = label[:min(len(label), 11)]
	}
	own := strings.NewReplacer("LABEL", label[:min(len(label), 16)], "CLUSTER", plan.FATCluster(d.Create))
	for _, words := range formatters[as].tools {
		tool := findTool(words[0])
		if tool == "" {
			continue
		}
		var args []string
		for _, w := range words[1:] {
			args = append(args, own.Replace(w))
		}
		cmd := exec.Command(tool, append(args, path)...)
		cmd.Env = []string{}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%.200s (%s: %w)", strings.TrimSpace(string(out)), words[0], err)
		}
		return nil
	}
	return fault.New(fault.Host, formatters[as].hint, "make the file system %s: %s is not installed", as, formatters[as].tools[0][0])
}

// findTool finds a program of the administrator's, which a user's PATH may not have.
func findTool(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			return filepath.Join(dir, name)
		}
	}
	return ""
}
