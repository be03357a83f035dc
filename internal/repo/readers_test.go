package repo

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"skep/internal/inside"
	"skep/internal/reader"
)

// sources are types of parameters through which hostile bytes come.
var sources = []string{"[]byte", "io.Reader", "io.ReaderAt", "io.ReadSeeker", "io.ReadWriter", "*os.File", "net.Conn", "*net.UnixConn", "*bufio.Reader"}

// opens are calls that open a file by its path.
var opens = regexp.MustCompile(`\b(os\.(Open|OpenFile|ReadFile)|unix\.Open)\(`)

// TestReadersHaveRows: whatever takes bytes or a file, or opens one, in a package that handles hostile ones is
// in a row of the table, or in the list of those that look at none.
func TestReadersHaveRows(t *testing.T) {
	known := map[string]string{}
	add := func(call, where string) {
		if was, twice := known[call]; twice {
			t.Errorf("%s is in %s and in %s", call, was, where)
		}
		known[call] = where
	}
	for _, r := range reader.Rows {
		for _, call := range r.Calls {
			add(call, "the row "+r.Name)
		}
	}
	for _, call := range reader.NoReaders {
		add(call, "NoReaders")
	}
	for name := range inside.Table() {
		if !slices.ContainsFunc(reader.Rows, func(r reader.Row) bool { return r.Name == name }) {
			t.Errorf("the reader %q has no row", name)
		}
	}
	there := map[string]bool{}
	for _, f := range goFiles(t) {
		pkg := path.Base(f.pkg)
		if f.test() || !slices.Contains(reader.Packages, pkg) || f.pkg != "internal/"+pkg {
			continue
		}
		for _, fn := range readingFuncs(t, f) {
			call := pkg + "." + fn
			there[call] = true
			if known[call] == "" {
				t.Errorf("%s takes bytes or a file, or opens one: it needs a row in internal/reader/rows.go, or a place in NoReaders", call)
			}
		}
	}
	for call, where := range known {
		if !there[call] {
			t.Errorf("%s has %s, which is not there", where, call)
		}
	}
}

// readingFuncs are the functions of a file that have a parameter of one of those types, or open a file.
func readingFuncs(t *testing.T, f file) (names []string) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, f.path, f.src, 0)
	if err != nil {
		t.Fatal(err)
	}
	takes := func(p *ast.Field) bool { return slices.Contains(sources, typeName(p.Type)) }
	for _, d := range parsed.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		body := f.src[set.Position(fn.Pos()).Offset:set.Position(fn.End()).Offset]
		if !slices.ContainsFunc(fn.Type.Params.List, takes) && !opens.Match(body) {
			continue
		}
		name := fn.Name.Name
		if fn.Recv != nil {
			name = "(" + strings.TrimPrefix(typeName(fn.Recv.List[0].Type), "*") + ")." + name
		}
		names = append(names, name)
	}
	return names
}

func typeName(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return typeName(x.X) + "." + x.Sel.Name
	case *ast.StarExpr:
		return "*" + typeName(x.X)
	case *ast.ArrayType:
		if x.Len == nil {
			return "[]" + typeName(x.Elt)
		}
	}
	return ""
}

// TestReadersAreCalledWhereTheRowSays: another package that calls a reader runs it with other rights.
func TestReadersAreCalledWhereTheRowSays(t *testing.T) {
	for _, r := range reader.Rows {
		for _, call := range r.Calls {
			pkg, fn, _ := strings.Cut(call, ".")
			if strings.HasPrefix(fn, "(") || !ast.IsExported(fn) {
				continue
			}
			used := regexp.MustCompile(`\b` + pkg + `\.` + fn + `\b`)
			for _, f := range goFiles(t) {
				if f.test() || f.pkg == "internal/reader" && path.Base(f.path) == "rows.go" || !slices.Contains(f.imports, "skep/internal/"+pkg) {
					continue
				}
				if used.Match(code(f.src)) && !slices.Contains(r.From, path.Base(f.pkg)) {
					t.Errorf("%s calls %s, which the row %q does not have", f.path, call, r.Name)
				}
			}
		}
	}
}

// code is a source without its comments.
func code(src []byte) []byte { return regexp.MustCompile(`(?m)//.*$`).ReplaceAll(src, nil) }

// TestReaderTable: the table in docs/security.md is the one in the code; -update writes it.
func TestReaderTable(t *testing.T) {
	const begin, end = "<!-- begin: readers -->\n", "<!-- end: readers -->"
	var b strings.Builder
	b.WriteString("| reader | what it reads | who runs it | with what rights |\n|---|---|---|---|\n")
	for _, r := range reader.Rows {
		rights := r.Rights
		if r.Why != "" {
			rights += "; " + r.Why
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.Name, r.Reads, r.Who, rights)
	}
	doc := read(t, "docs/security.md")
	i, j := strings.Index(doc, begin), strings.Index(doc, end)
	if i < 0 || j < i {
		t.Fatal("docs/security.md has no place for the table of readers")
	}
	if doc[i+len(begin):j] == b.String() {
		return
	}
	if *update {
		text := doc[:i+len(begin)] + b.String() + doc[j:]
		if err := os.WriteFile(filepath.Join(root, "docs/security.md"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Error("the table of readers in docs/security.md is not the one in the code; go test ./internal/repo -run TestReaderTable -update writes it")
}
