package devfs

import (
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"vmm", "vmm", true},
		{"vmm", "vmm/web", false},
		{"vmm/*", "vmm/web", true},
		{"vmm/*", "vmm", false},
		{"vmm*", "vmm/web", false}, // no star crosses a slash
		{"*", "vmm/web", false},
		{"*/*", "vmm/web", true},
		{"zvol/*/*", "zvol/tank/a", true},
		{"zvol/*", "zvol/tank/a", false},
		{"zvol/*/disk", "zvol/tank/disk", true},
		{"*d*", "zvol", false},
		{"**l", "zvol", true},
		{"tap*", "tap", true},
		{"tap?", "tap", false},
		{"a?b", "a/b", false},
		{"tap[0-9]", "tap7", true},
		{"tap[!0-9]", "tap7", false},
		{"tap[^0-9]", "tapx", true},
		{"tap[]]", "tap]", true},
		{"tap[a-]", "tap-", true},
		{"tap[", "tap[", true}, // never closed: a bracket like any other
		{"tap[0", "tap[0", true},
		{"a[/]b", "a/b", false},
		{"a[b/]", "ab", false},
		{`tap\*`, "tap*", true},
		{`tap\*`, "tap1", false},
		{`a[\]]`, "a]", true},
		{`a\`, `a\`, true},
		{`a[\`, `a[\`, true},
		{"", "", true},
		{"", "a", false},
		{strings.Repeat("*a", 60), strings.Repeat("a", 59), false}, // ends, and soon
	} {
		if got := match(tc.pattern, tc.name); got != tc.want {
			t.Errorf("match(%q, %q) = %v, want %v", tc.pattern, tc.name, got, tc.want)
		}
	}
}

// slowMatch tries every length for every star; it shares only the elements
// with match.
func slowMatch(pattern, name string) bool {
	if pattern == "" {
		return name == ""
	}
	if pattern[0] == '*' {
		for i := 0; ; i++ {
			if slowMatch(pattern[1:], name[i:]) {
				return true
			}
			if i == len(name) || name[i] == '/' {
				return false
			}
		}
	}
	if name == "" {
		return false
	}
	next, ok := matchOne(pattern, 0, name[0])
	return ok && slowMatch(pattern[next:], name[1:])
}

func FuzzMatch(f *testing.F) {
	for _, s := range []string{"zvol/*/d*-[0-9]", "*a*b*", `[a\`, "a[b-", "**/*", `\*[]-a]`} {
		f.Add(s, "zvol/tank/disk-1")
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 16 || len(name) > 16 {
			return // the slow one is exponential
		}
		if got, want := match(pattern, name), slowMatch(pattern, name); got != want {
			t.Errorf("match(%q, %q) = %v", pattern, name, got)
		}
	})
}

func FuzzEscape(f *testing.F) {
	f.Add("nmdm-web-A", "nmdm-web2-A")
	f.Add(`a*[b]?\`, "a")
	f.Fuzz(func(t *testing.T, name, other string) {
		p := escape(name)
		if !match(p, name) || isGlob(p) || literal(p) != name {
			t.Errorf("escape(%q) = %q does not match it alone", name, p)
		}
		if other != name && match(p, other) {
			t.Errorf("escape(%q) = %q matches %q too", name, p, other)
		}
	})
}
