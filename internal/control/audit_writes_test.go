package control_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// undone are the functions that write to the store for an actor without a change that needs an audit entry. They store
// the answers of repeated requests, whose changes have their own entries.
var undone = []string{"Repeated", "Answered", "Refused"}

// TestChangesAreAudited finds use cases that write to the metadata store without an audit entry: every write for an
// actor must be part of a change.
func TestChangesAreAudited(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !ofActor(fn) || !updatesStore(fn) {
				continue
			}
			seen[fn.Name.Name] = true
			if !slices.Contains(undone, fn.Name.Name) {
				t.Errorf("%s: %s writes to the metadata store for an actor; begin an audited change and write by its update", name, fn.Name.Name)
			}
		}
	}
	for _, name := range undone {
		if !seen[name] {
			t.Errorf("%s does not write to the store for an actor any more", name)
		}
	}
}

// ofActor reports whether a function has a parameter of the type audience.Actor.
func ofActor(fn *ast.FuncDecl) bool {
	return slices.ContainsFunc(fn.Type.Params.List, func(p *ast.Field) bool {
		s, ok := p.Type.(*ast.SelectorExpr)
		return ok && s.Sel.Name == "Actor"
	})
}

// updatesStore reports whether a function calls Store.Update.
func updatesStore(fn *ast.FuncDecl) bool {
	found := false
	ast.Inspect(fn, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Update" {
			if x, ok := s.X.(*ast.SelectorExpr); ok && x.Sel.Name == "Store" {
				found = true
			}
		}
		return !found
	})
	return found
}
