// Package version says which skep this is: what the build wrote into it, or what Go did.
package version

import (
	"runtime/debug"
	"strings"
)

// described is git-describe(1) of what was built. scripts/build sets it; it depends on the commit and on
// nothing else, so that two builds of a commit are the same bytes.
var described string

// String is the version: 1.2.3 of a release, 1.2.3-4-gabcdef of four commits after it, and before the first
// one 0.1.0-devel with the commit.
func String() string {
	info, _ := debug.ReadBuildInfo()
	return of(described, info)
}

// Revision is the whole name of the commit, "" where the build did not know it.
func Revision() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return setting(info, "vcs.revision")
	}
	return ""
}

func of(described string, info *debug.BuildInfo) string {
	if described != "" {
		return strings.TrimPrefix(described, "v")
	}
	if info == nil {
		return unknown
	}
	// go install skep@v1.2.3 has no git at hand; a build in a clone without scripts/build has a
	// pseudo-version.
	if v := info.Main.Version; v != "" && v != "(devel)" && !strings.HasPrefix(v, "v0.0.0") {
		return strings.TrimPrefix(v, "v")
	}
	if r := setting(info, "vcs.revision"); r != "" {
		dirty := ""
		if setting(info, "vcs.modified") == "true" {
			dirty = "-dirty"
		}
		return unknown + "-g" + r[:min(len(r), 12)] + dirty
	}
	return unknown
}

// unknown is the version of a build that knows no release.
const unknown = "0.0.0-devel"

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
