package cell

import (
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// maxPath is the longest path that FreeBSD's calls take; Linux takes more.
const maxPath = 1023

// path is the path of something on the host, relative to the cell file.
func path(rules ...func(string) *mistake) kind[string] {
	plain := text(pathRule)
	return kind[string]{
		read: func(r *reader, name string, e hclsyntax.Expression) (string, bool) {
			p, ok := plain.read(r, name, e)
			if !ok {
				return "", false
			}
			p = r.abs(p)
			// The directory of the file is now in front of it.
			for _, rule := range append([]func(string) *mistake{pathRule}, rules...) {
				if m := rule(p); m != nil {
					r.value(e.Range(), name, m)
					return "", false
				}
			}
			return p, true
		},
		write: cty.StringVal,
	}
}

// pathRule refuses a comma as well: bhyve(8) takes its disks as lists of
// options with commas between them and knows no way to quote one, so that what
// follows the comma of a path would be obeyed as an option.
func pathRule(p string) *mistake {
	switch {
	case p == "":
		return wrong("must not be empty")
	case len(p) > maxPath:
		return wrong("the path has %d characters, at most %d are allowed", len(p), maxPath)
	case strings.Contains(p, ","):
		return wrong("must not contain a comma, which bhyve takes for the end of the path").but("rename the file, or use a link without a comma")
	case strings.HasPrefix(p, "~"):
		return wrong("~ is not expanded").but("write the full path")
	}
	return nil
}

// deviceRule is for raw devices of the host.
func deviceRule(p string) *mistake {
	if zvol, ok := strings.CutPrefix(p, "/dev/zvol/"); ok {
		return wrong("a ZFS volume has its own attribute").but("did you mean zvol = %q?", zvol)
	}
	if !strings.HasPrefix(p, "/dev/") {
		return wrong("must be a device node in /dev").but("use file for a disk image")
	}
	return nil
}

// rootRule is for the tree that an existing jail has. 88 bytes is what statfs(2)
// holds of a mount's path on FreeBSD before 12, and what jail tools still
// count on.
func rootRule(p string) *mistake {
	switch {
	case filepath.Dir(p) == p:
		return wrong("must not be the host's own root directory")
	case len(p) > 88:
		return wrong("the path has %d characters, at most 88 are allowed for mounts of a jail", len(p))
	}
	return nil
}

func shareRule(p string) *mistake {
	if filepath.Dir(p) == p {
		return wrong("must not be the root directory, which would share the whole host").but("share a directory below it")
	}
	return nil
}

var nmdm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^/dev/nmdm[A-Za-z0-9._-]{1,48}A$`) })

// nmdmRule is for the guest's end of a null modem. Its characters are those that
// mean nothing in a devfs rule.
func nmdmRule(p string) *mistake {
	if nmdm().MatchString(p) {
		return nil
	}
	m := wrong("must be the guest's end of a null modem, /dev/nmdm…A")
	if other := strings.TrimSuffix(p, "B") + "A"; other != p+"A" && nmdm().MatchString(other) {
		return m.but("the host uses the B end; did you mean %q?", other)
	}
	if nmdm().MatchString(p + "A") {
		return m.but("did you mean %q?", p+"A")
	}
	return m
}
