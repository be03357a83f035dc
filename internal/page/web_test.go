package page

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"
)

// source is a file of the page as a browser has it.
func source(t *testing.T, name string) string {
	t.Helper()
	body, err := embedded(name)
	if err != nil {
		t.Fatalf("%s is not there", name)
	}
	return string(body)
}

// TestModulesAreThere: what a module imports is served, and all that is there is imported from the page.
func TestModulesAreThere(t *testing.T) {
	imports := regexp.MustCompile(`(?m)(?:^|[;}\s])(?:import|export)\b[^"'()]*?["'](\.[^"']+\.m?js)["']`)
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		for _, m := range imports.FindAllStringSubmatch(source(t, name), -1) {
			visit(path.Join(path.Dir(name), m[1]))
		}
	}
	visit("app.js")
	if len(seen) < 40 {
		t.Errorf("only %d modules were found", len(seen))
	}
	_ = fs.WalkDir(web, "web", func(at string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(at, "web/")
		if strings.HasSuffix(name, "js") && !seen[name] && !strings.HasPrefix(name, "lib/novnc/others/") {
			t.Errorf("%s is imported by nothing", name)
		}
		return err
	})
}

// TestNothingInline: the policy lets no script and no handler in the text of a page run.
func TestNothingInline(t *testing.T) {
	for _, name := range []string{"index.html", "stranger.html"} {
		text := source(t, name)
		if regexp.MustCompile(`<script(?:>| [^>]*>)[^<]`).MatchString(text) || regexp.MustCompile(`\son[a-z]+=|javascript:`).MatchString(text) {
			t.Errorf("%s has a script in its text", name)
		}
	}
	if !strings.Contains(policy, "script-src 'self';") || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("the policy is %s", policy)
	}
}

// TestLicences: those of what others have written are kept beside it.
func TestLicences(t *testing.T) {
	for _, name := range []string{"xterm/LICENSE", "xterm/LICENSE.addon-fit", "novnc/LICENSE.txt", "novnc/LICENSE.MPL-2.0", "novnc/AUTHORS", "novnc/others/pako/LICENSE"} {
		if b, err := web.ReadFile("web/lib/" + name); err != nil || len(b) < 100 {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
}
