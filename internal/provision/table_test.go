package provision

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"skep/internal/plan"
)

// TestTableIsWhole reads the tables of both hosts as text, so that either is looked at on any host: each
// kind that a host's plans have is a row there, no row lacks a column, and no row is of another host.
func TestTableIsWhole(t *testing.T) {
	audits := auditRows(t)
	for _, host := range []string{"linux", "freebsd"} {
		file := "table_" + host + ".go"
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		rows := tableRows(f)
		for _, k := range plan.Kinds(host) {
			name := constant(t, k)
			row := rows[name]
			if row == nil {
				t.Errorf(
					"%s: there is no row for plan.%s (%q): it needs acquire, release, look, adopt and audit",
					file,
					name,
					k,
				)
				continue
			}
			delete(rows, name)
			for _, column := range []string{"acquire", "release", "look", "adopt", "audit"} {
				if !hasColumn(row, column) {
					t.Errorf(
						"%s: the row of plan.%s has no %q; where there is nothing to do, say why",
						set.Position(row.Pos()),
						name,
						column,
					)
				}
			}
			for _, id := range auditColumn(row) {
				if !audits[id] {
					t.Errorf(
						"%s: plan.%s names the row %q of the audit, which has none of that name",
						set.Position(row.Pos()),
						name,
						id,
					)
				}
			}
		}
		for name, row := range rows {
			t.Errorf("%s: plan.%s is no kind of a plan for %s", set.Position(row.Pos()), name, host)
		}
	}
}

// tableRows are the rows of a table by the name of their kind's constant.
func tableRows(f *ast.File) map[string]*ast.CompositeLit {
	rows := map[string]*ast.CompositeLit{}
	ast.Inspect(f, func(n ast.Node) bool {
		kv, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		key, isKind := kv.Key.(*ast.SelectorExpr)
		row, isRow := kv.Value.(*ast.CompositeLit)
		if isKind && isRow {
			rows[key.Sel.Name] = row
		}
		return true
	})
	return rows
}

func hasColumn(row *ast.CompositeLit, column string) bool {
	return slices.ContainsFunc(row.Elts, func(e ast.Expr) bool {
		kv, ok := e.(*ast.KeyValueExpr)
		return ok && kv.Key.(*ast.Ident).Name == column
	})
}

// auditColumn are the rows of the audit that a row names.
func auditColumn(row *ast.CompositeLit) (ids []string) {
	for _, e := range row.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok || kv.Key.(*ast.Ident).Name != "audit" {
			continue
		}
		call, ok := kv.Value.(*ast.CallExpr)
		if !ok || call.Fun.(*ast.Ident).Name != "rows" {
			continue
		}
		for _, a := range call.Args {
			ids = append(ids, strings.Trim(a.(*ast.BasicLit).Value, `"`))
		}
	}
	return ids
}

// constant is the name of a kind's constant, as package plan writes it.
func constant(t *testing.T, k plan.Kind) string {
	t.Helper()
	text, err := os.ReadFile("../plan/kinds.go")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(Kind\w+) +Kind = "` + regexp.QuoteMeta(string(k)) + `"`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("../plan/kinds.go has no constant for %q", k)
	}
	return string(m[1])
}

// auditRows are all words that package audit names a row by, or that the names of several begin with.
func auditRows(t *testing.T) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	files, err := filepath.Glob("../audit/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no audit", err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"([a-z][a-z0-9-]+)"`).FindAllSubmatch(text, -1) {
			ids[string(m[1])] = true
		}
	}
	return ids
}
