package attack

import (
	"os"
	"slices"
	"strings"
	"testing"

	"skep/internal/drill/report"
	"skep/internal/layer"
)

// TestTable: rows are unique, say what they try and which known layers stop them, and where fewer
// than two do, why.
func TestTable(t *testing.T) {
	all := All()
	if len(all) < 60 {
		t.Errorf("only %d attempts", len(all))
	}
	seen := map[string]bool{}
	for _, a := range all {
		if seen[a.ID] {
			t.Errorf("%s is there twice", a.ID)
		}
		seen[a.ID] = true
		if a.ID == "" || a.Tries == "" || a.Group == "" || a.Do == nil {
			t.Errorf("%s is not whole", a.ID)
		}
		if strings.HasSuffix(a.Tries, ".") && !strings.HasSuffix(a.Tries, "..") || strings.Contains(a.Tries, "|") {
			t.Errorf("%s: %q is no part of a sentence", a.ID, a.Tries)
		}
		if a.Want == "" && a.Needs == nil {
			t.Errorf("%s does not say how it fails", a.ID)
		}
		for _, id := range a.Layers() {
			if _, ok := layer.Find(id); !ok {
				t.Errorf("%s: there is no layer %s", a.ID, id)
			}
		}
		if len(a.Layers()) < 2 && a.Single == "" && a.NoControl == "" {
			t.Errorf("%s: stopped by %q alone, and it does not say why no second layer does", a.ID, a.By)
		}
	}
	for id := range report.Quiet {
		if slices.ContainsFunc(all, func(a Attempt) bool { return slices.Contains(a.Layers(), id) }) {
			t.Errorf("%s is called quiet and stops something", id)
		}
	}
}

// TestProtocolTable: an attacker in the worker's place makes at least twenty attempts against its keeper.
func TestProtocolTable(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range ProtocolAttempts() {
		if seen[a.ID] || a.Tries == "" || a.Want == "" || a.Do == nil || a.Group == "" {
			t.Errorf("%s is there twice, or is not whole", a.ID)
		}
		seen[a.ID] = true
	}
	if len(seen) < 20 {
		t.Errorf("only %d attempts", len(seen))
	}
}

// TestSecurityTable: docs/security.md has the table as it is.
func TestSecurityTable(t *testing.T) {
	b, err := os.ReadFile("../../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(b), "<!-- begin: make security-table -->\n")
	got, _, also := strings.Cut(after, "<!-- end: make security-table -->")
	if !ok || !also || got != Markdown() {
		t.Error("docs/security.md is not current: make security-table")
	}
}

// TestCardTable: rows are unique and whole.
func TestCardTable(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range slices.Concat(All(), CardAttempts(), TpmAttempts()) {
		if seen[a.ID] || a.Tries == "" || a.Group == "" || a.Do == nil {
			t.Errorf("%s is there twice, or is not whole", a.ID)
		}
		seen[a.ID] = true
	}
}
