// Package imports checks that imports point inward.
package imports

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowed says which packages of Roster a package may import, beside internal/audience, which everybody may.
// An engine is imported by app alone.
var allowed = map[string][]string{
	"api":                          {},
	"client":                       {},
	"cmd/roster":                   {"client", "internal/app", "internal/tabular"},                                             // tabular: `import` infers columns before there is an audience
	"internal/api":                 {"api", "client", "internal/auth", "internal/control", "internal/meta", "internal/source"}, // the OpenAPI file, the wire types, run queries, uploaded objects
	"internal/app":                 {"*"},
	"internal/audience":            {},
	"internal/auth":                {"internal/meta"},
	"internal/control":             {"internal/ingest", "internal/lake", "internal/meta", "internal/profile", "internal/queue", "internal/source"}, // lake: creating and dropping tables
	"internal/ingest":              {"internal/lake", "internal/profile", "internal/source", "internal/tabular"},
	"internal/lake":                {},
	"internal/meta":                {},
	"internal/meta/metatest":       {"internal/meta"},
	"internal/meta/postgres":       {"internal/meta", "internal/meta/sqlstore"},
	"internal/meta/sqlite":         {"internal/meta", "internal/meta/sqlstore"},
	"internal/meta/sqlstore":       {"internal/meta"},
	"internal/profile":             {},
	"internal/profile/pebble":      {"internal/profile"},
	"internal/profile/profiletest": {"internal/profile"},
	"internal/queue":               {},
	"internal/source":              {},
	"internal/tabular":             {},
	"bench/gen":                    {},
	"bench/run":                    {},
	"tests/rostertest":             {"client"},
}

// confined says which packages alone may import a library.
var confined = map[string][]string{
	"github.com/riverqueue/river":   {"internal/queue"},
	"github.com/cockroachdb/pebble": {"internal/profile/pebble"},
	"github.com/apache/iceberg-go":  {"internal/lake"},
	"github.com/jackc/pgx":          {"internal/meta/postgres", "internal/meta/metatest"},
	"modernc.org/sqlite":            {"internal/meta/sqlite", "internal/app"}, // app: the catalog's own database
	"github.com/spf13/cobra":        {"cmd/roster"},
	"github.com/go-jose":            {"internal/auth"},
	"net/http":                      {"client", "internal/api", "internal/app", "cmd/roster"},
	"database/sql":                  {"internal/app", "internal/control", "internal/lake", "internal/meta", "internal/meta/metatest", "internal/meta/postgres", "internal/meta/sqlite", "internal/meta/sqlstore", "internal/queue"},
}

func TestImports(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(rel))
		found[pkg] = true
		checkFile(t, file, pkg)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range allowed {
		if !found[pkg] {
			t.Errorf("the table names %s, which does not exist", pkg)
		}
	}
}

func checkFile(t *testing.T, file, pkg string) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	may, known := allowed[pkg]
	if !known {
		t.Errorf("%s is not in the table of imports; add it with what it may import", pkg)
		return
	}
	for _, imp := range f.Imports {
		name, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		own, ours := strings.CutPrefix(name, "roster/")
		switch {
		case ours && own != "internal/audience" && !slices.Contains(may, own) && !slices.Contains(may, "*"):
			t.Errorf("%s imports %s, which the table does not allow", file, own)
		case pkg == "internal/audience" && strings.Contains(name, "."):
			t.Errorf("%s imports %s; the domain imports the standard library only", file, name)
		}
		for lib, by := range confined {
			if (name == lib || strings.HasPrefix(name, lib+"/")) && !slices.Contains(by, pkg) {
				t.Errorf("%s imports %s, which only %s may", file, name, strings.Join(by, ", "))
			}
		}
	}
}
