package version

import (
	"runtime/debug"
	"testing"
)

func TestOf(t *testing.T) {
	built := func(version string, settings ...string) *debug.BuildInfo {
		i := &debug.BuildInfo{Main: debug.Module{Version: version}}
		for k := 0; k < len(settings); k += 2 {
			i.Settings = append(i.Settings, debug.BuildSetting{Key: settings[k], Value: settings[k+1]})
		}
		return i
	}
	const commit = "0123456789abcdef0123456789abcdef01234567"
	for _, tt := range []struct {
		described string
		info      *debug.BuildInfo
		want      string
	}{
		{"v1.2.3", built("v0.0.0-20260101-x"), "1.2.3"},
		{"v1.2.3-4-gabcdef0", nil, "1.2.3-4-gabcdef0"},
		{"0.1.0-devel-gabcdef0", nil, "0.1.0-devel-gabcdef0"},
		{"", built("v1.2.3"), "1.2.3"},
		{"", built("v0.0.0-20260101000000-0123456789ab", "vcs.revision", commit), "0.0.0-devel-g0123456789ab"},
		{"", built("(devel)", "vcs.revision", commit, "vcs.modified", "true"), "0.0.0-devel-g0123456789ab-dirty"},
		{"", built("(devel)"), "0.0.0-devel"},
		{"", nil, "0.0.0-devel"},
	} {
		if got := of(tt.described, tt.info); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.described, got, tt.want)
		}
	}
	if String() == "" {
		t.Error("this build has no version")
	}
}
