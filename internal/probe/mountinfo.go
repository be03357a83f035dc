package probe

import (
	"slices"
	"strconv"
	"strings"
)

// mount is a line of /proc/PID/mountinfo, as far as cgroups need it.
type mount struct {
	id, parent          string
	root, point, fstype string
	readOnly            bool
	super               []string // the file system's own options
}

// parseMountinfo reads proc_pid_mountinfo(5). The optional fields in the
// middle are as many as they like, up to a lone hyphen.
func parseMountinfo(text string) []mount {
	var out []mount
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		sep := slices.Index(f, "-")
		if len(f) < 10 || sep < 6 || len(f) < sep+4 {
			continue
		}
		super := strings.Split(f[sep+3], ",")
		out = append(out, mount{
			id: f[0], parent: f[1],
			root: unescape(f[3]), point: unescape(f[4]), fstype: f[sep+1], super: super,
			readOnly: slices.Contains(strings.Split(f[5], ","), "ro") || slices.Contains(super, "ro"),
		})
	}
	return out
}

// unescape undoes the octal escapes of blanks in mountinfo.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// rootMount finds the mount at / in a mountinfo. In a chroot there mostly is
// none; the initial root is its own parent.
func rootMount(mounts []mount) (found, initial bool) {
	for _, m := range mounts {
		if m.point == "/" {
			// Of several, the last covers the others.
			found, initial = true, m.id != "" && m.id == m.parent
		}
	}
	return found, initial
}
