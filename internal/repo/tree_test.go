package repo

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// root is the repository, seen from this package.
const root = "../.."

// file is one Go file of ours.
type file struct {
	path    string // from the root, with slashes
	pkg     string // its directory
	src     []byte
	doc     string // the comment before its package clause
	imports []string
}

func (f file) test() bool { return strings.HasSuffix(f.path, "_test.go") }

// system is the operating system that the file's name binds it to, or "".
func (f file) system() string {
	name := strings.TrimSuffix(strings.TrimSuffix(path.Base(f.path), ".go"), "_test")
	for _, s := range []string{"linux", "freebsd", "unix", "other"} {
		if strings.HasSuffix(name, "_"+s) {
			return s
		}
	}
	return ""
}

// goFiles reads every Go file.
func goFiles(t *testing.T) []file {
	t.Helper()
	var all []file
	walk(t, func(p string) {
		if !strings.HasSuffix(p, ".go") {
			return
		}
		src, err := os.ReadFile(filepath.Join(root, p))
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), p, src, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			return
		}
		f := file{path: p, pkg: path.Dir(p), src: src, doc: parsed.Doc.Text()}
		for _, i := range parsed.Imports {
			f.imports = append(f.imports, strings.Trim(i.Path.Value, `"`))
		}
		all = append(all, f)
	})
	if len(all) < 50 {
		t.Fatalf("only %d Go files were found", len(all))
	}
	return all
}

// walk visits every file that could be committed.
func walk(t *testing.T, visit func(path string)) {
	t.Helper()
	ignored := map[string]bool{".git": true, "bin": true, "build": true, "dist": true}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		if ignored[filepath.ToSlash(rel)] {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() {
			visit(filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, p string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, p))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
