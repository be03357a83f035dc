package repo

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"skep/internal/cli"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/layer"
)

// TestManPage: skep(8) has every verb, flag, environment variable and exit status.
func TestManPage(t *testing.T) {
	page := read(t, "man/skep.8")
	section := func(verb string) string {
		_, after, ok := strings.Cut(page, "\n.It Cm "+verb)
		if !ok {
			return ""
		}
		// The next verb, or the next section, ends it.
		if end := regexp.MustCompile(`\n\.(It Cm [a-z]|Sh )`).FindStringIndex(after); end != nil {
			after = after[:end[0]]
		}
		return verb + after
	}
	flags := func(where, text string, set *pflag.FlagSet) {
		set.VisitAll(func(f *pflag.Flag) {
			if f.Hidden || f.Name == "help" {
				return
			}
			if !strings.Contains(text, "-"+strings.ReplaceAll(f.Name, "-", `\-`)) && !strings.Contains(text, "-"+f.Name) {
				t.Errorf("%s: the page lacks --%s", where, f.Name)
			}
			if f.Shorthand != "" && !regexp.MustCompile(`Fl `+f.Shorthand+`\b`).MatchString(text) {
				t.Errorf("%s: the page lacks -%s", where, f.Shorthand)
			}
		})
	}
	tree := cli.Tree()
	flags("skep", page, tree.PersistentFlags())
	for _, c := range tree.Commands() {
		if c.Hidden {
			continue
		}
		text := section(c.Name())
		if text == "" {
			t.Errorf("the page lacks the verb %s", c.Name())
			continue
		}
		flags(c.Name(), text, c.LocalNonPersistentFlags())
		for _, sub := range c.Commands() {
			if !strings.Contains(text, sub.Name()) {
				t.Errorf("%s: the page lacks %s", c.Name(), sub.Name())
			}
		}
	}
	for _, name := range verbs(page) {
		if c, _, err := tree.Find([]string{name}); err != nil || c == tree {
			t.Errorf("the page has the verb %s, which is not there", name)
		}
	}
	for _, c := range fault.Codes {
		if !regexp.MustCompile(fmt.Sprintf(`(?m)^\.It %d$`, c.Code)).MatchString(page) {
			t.Errorf("the page lacks the exit status %d (%s)", c.Code, c.Name)
		}
	}
	for _, e := range []string{host.EnvConfigDir, host.EnvStateDir, host.EnvRunDir, host.EnvQEMU, host.EnvStubs, host.EnvUIDBase, host.EnvUIDCount} {
		if !strings.Contains(page, ".It Ev "+e+"\n") {
			t.Errorf("the page lacks the variable %s", e)
		}
	}
}

func verbs(page string) []string {
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^\.It Cm ([a-z-]+)`).FindAllStringSubmatch(page, -1) {
		names = append(names, m[1])
	}
	return names
}

// TestExitCodesInDocs: the table of skep(8) has the words of the program's own.
func TestExitCodesInDocs(t *testing.T) {
	page := squeeze(read(t, "man/skep.8"))
	for _, c := range fault.Codes {
		if !strings.Contains(page, squeeze(c.Meaning)) {
			t.Errorf("man/skep.8 says of %d something else than %q", c.Code, c.Meaning)
		}
	}
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// TestManPagesAreWellFormed asks mandoc, where there is one.
func TestManPagesAreWellFormed(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip("no mandoc here")
	}
	pages, err := filepath.Glob(filepath.Join(root, "man", "*.[58]"))
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	for _, p := range pages {
		if out, err := exec.Command(mandoc, "-T", "lint", "-W", "warning", p).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", p, err, out)
		}
	}
}

var update = flag.Bool("update", false, "write the table of layers into docs/security.md")

// TestLayerTable: docs/security.md has each row of the table of layers, as it is; with -update it
// gets them.
func TestLayerTable(t *testing.T) {
	doc := read(t, "docs/security.md")
	if *update {
		table := regexp.MustCompile(`(?s)(\| layer \| kernel [^\n]*\n[^\n]*\n).*?\n\n`)
		doc = table.ReplaceAllString(doc, "${1}"+strings.ReplaceAll(strings.Join(layerRows(), ""), "$", "$$")+"\n")
		if err := os.WriteFile(filepath.Join(root, "docs/security.md"), []byte(doc), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range layerRows() {
		if !strings.Contains(doc, row) {
			t.Errorf("docs/security.md lacks this row:\n%s", row)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| [0-9]").FindAllStringSubmatch(doc, -1) {
		if _, ok := layer.Find(layer.ID(m[1])); !ok {
			t.Errorf("docs/security.md has the layer %s, which is not there", m[1])
		}
	}
}

func layerRows() []string {
	var rows []string
	for _, l := range layer.Table {
		who, instead := l.Privilege, "–"
		if who == "" {
			who = "–"
		}
		if l.Substitute != "" {
			instead = "`" + string(l.Substitute) + "`"
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s |\n", l.ID, l.Kernel, who, instead, l.Does, l.Seen))
	}
	return rows
}

// TestLinks: a link from one document to a file of ours leads to it.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	walk(t, func(p string) {
		if !strings.HasSuffix(p, ".md") {
			return
		}
		for _, m := range link.FindAllStringSubmatch(read(t, p), -1) {
			if _, err := os.Stat(filepath.Join(root, path.Dir(p), m[1])); err != nil {
				t.Errorf("%s: %v", p, err)
			}
		}
	})
}

// TestCommandsInDocs: each "skep VERB" and "make TARGET" that a document shows is there.
func TestCommandsInDocs(t *testing.T) {
	tree := cli.Tree()
	makefile := read(t, "Makefile")
	for _, p := range []string{"README.md", "docs/architecture.md", "docs/security.md"} {
		for _, m := range regexp.MustCompile("(?m)(?:^    (?:[$#] )?(?:sudo )?|`)(skep|make) ([a-z-]+)").FindAllStringSubmatch(read(t, p), -1) {
			switch m[1] {
			case "skep":
				if !has(tree, m[2]) {
					t.Errorf("%s shows skep %s, which is not there", p, m[2])
				}
			case "make":
				if !regexp.MustCompile(`(?m)^` + m[2] + `:`).MatchString(makefile) {
					t.Errorf("%s shows make %s, which is not there", p, m[2])
				}
			}
		}
	}
}

func has(tree *cobra.Command, verb string) bool {
	c, _, err := tree.Find([]string{verb})
	return err == nil && c != tree
}
