package probe

import (
	"os"
	"path/filepath"
	"strings"
)

// dpkgLists hold the files of each package, a file a line.
const dpkgLists = "/var/lib/dpkg/info"

// packageOf is the package that a library comes from, or "". Only dpkg's
// records can be read without running a package manager.
func packageOf(library string) string {
	if library == "" {
		return ""
	}
	lists, _ := filepath.Glob(filepath.Join(dpkgLists, "*.list"))
	base := "/" + filepath.Base(library)
	for _, list := range lists {
		b, err := os.ReadFile(list)
		if err != nil || !strings.Contains(string(b), base+"\n") {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(list), ".list"), ":")
		for line := range strings.Lines(string(b)) {
			line = strings.TrimSpace(line)
			if strings.HasSuffix(line, base) && strings.Contains(line, "lib") && !strings.Contains(line, "/doc/") {
				return name
			}
		}
	}
	return ""
}
