package probe

import (
	"strings"

	"skep/internal/host"
)

// distroOf reads os-release(5) and returns the family of the distribution that
// host.Packages has a column for, or "".
func distroOf(osRelease string) string {
	var ids []string
	for line := range strings.Lines(osRelease) {
		k, v, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || k != "ID" && k != "ID_LIKE" {
			continue
		}
		words := strings.Fields(strings.Trim(v, `"'`))
		if k == "ID" {
			ids = append(words, ids...)
		} else {
			ids = append(ids, words...)
		}
	}
	for _, id := range ids {
		switch {
		case id == "ubuntu":
			return "debian"
		case id == "rhel" || id == "centos":
			return "fedora"
		case strings.Contains(id, "suse"):
			return "suse"
		case host.Packages[id] != nil:
			return id
		}
	}
	return ""
}
