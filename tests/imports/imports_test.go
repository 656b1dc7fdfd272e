// Package imports checks that imports point inward.
package imports

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowed lists the packages of Roster that a package may import, in addition to internal/audience, which every package
// may import. Only app imports engines.
var allowed = map[string][]string{
	"api":                          {},
	"client":                       {},
	"cmd/roster":                   {"client", "internal/app", "internal/auth", "internal/background", "internal/importing"},                                        // auth: `verify` checks receipts
	"internal/api":                 {"api", "client", "internal/auth", "internal/control", "internal/landing", "internal/members", "internal/web", "internal/wire"}, // the OpenAPI file, the wire types, values of members, uploads
	"internal/app":                 {"*"},
	"internal/audience":            {},
	"internal/background":          {},                    // threads of long work: whoever computes for long has it
	"internal/blob":                {"internal/netguard"}, // netguard: whether it was that what kept a store from being reached
	"internal/blob/ahead":          {"internal/blob"},
	"internal/blob/blobtest":       {"internal/blob", "internal/source/sourcetest"}, // what is read is tested as of any source
	"internal/blob/bucket":         {"internal/blob", "internal/blob/ahead"},
	"internal/blob/cached":         {"internal/blob"},
	"internal/blob/faulty":         {"internal/blob"},
	"internal/blob/local":          {"internal/blob", "internal/durable"},
	"internal/cache":               {},
	"internal/durable":             {},                                                                       // files of the local disk that survive a crash
	"internal/auth":                {"internal/cache", "internal/durable", "internal/edge", "internal/meta"}, // edge: what counts as one address
	"internal/edge":                {},
	"internal/connect":             {"internal/landing", "internal/meta", "internal/pgp", "internal/source"},
	"internal/control":             {"internal/background", "internal/cache", "internal/connect", "internal/events", "internal/identity", "internal/job", "internal/lake", "internal/landing", "internal/launch", "internal/members", "internal/memory", "internal/meta", "internal/pgp", "internal/profile", "internal/reject", "internal/schedule", "internal/source", "internal/survey", "internal/webhook"}, // lake: reading tables
	"internal/events":              {"internal/job", "internal/meta"},
	"internal/fair":                {},
	"internal/ingest":              {"internal/background", "internal/fault", "internal/identity", "internal/lake", "internal/memory", "internal/pgp", "internal/profile", "internal/reject", "internal/source", "internal/survey", "internal/tabular", "internal/tabular/formats", "internal/tabular/input"}, // input: which encoding rejected text may have
	"internal/identity":            {},                                                                                                                                                                                                                                                                        // what an identity is: whoever compares or reads them
	"internal/fault":               {},                                                                                                                                                                                                                                                                        // places where I/O may fail: whoever does I/O has them
	"internal/importing":           {"client", "internal/tabular", "internal/tabular/formats", "internal/wire"},                                                                                                                                                                                               // tabular: what columns a file has, before there is an audience
	"internal/job":                 {"internal/meta"},
	"internal/lake":                {"internal/blob", "internal/cache", "internal/fault", "internal/identity"},
	"internal/landing":             {"internal/blob", "internal/durable", "internal/meta", "internal/source"}, // meta: what was received of uploads, and holds of quotas
	"internal/launch":              {"internal/meta"},
	"internal/members":             {"internal/identity", "internal/lake", "internal/meta"},
	"internal/memory":              {},
	"internal/meta":                {},
	"internal/meta/metatest":       {"internal/meta"},
	"internal/meta/postgres":       {"internal/meta", "internal/meta/sqlstore"},
	"internal/meta/sqlite":         {"internal/meta", "internal/meta/sqlstore"},
	"internal/meta/sqlstore":       {"internal/fault", "internal/meta"},
	"internal/profile":             {"internal/identity"},
	"internal/profile/pebble":      {"internal/background", "internal/fault", "internal/identity", "internal/profile"},
	"internal/profile/profiletest": {"internal/identity", "internal/profile"},
	"internal/queue":               {"internal/job"},
	"internal/reject":              {"internal/lake"},
	"internal/schedule":            {},
	"internal/source":              {"internal/blob"},
	"internal/source/sftp":         {"internal/blob", "internal/blob/ahead", "internal/source"},
	"internal/source/sourcetest":   {"internal/source"},
	"internal/secret":              {"internal/durable"},
	"internal/netguard":            {},
	"internal/survey":              {"internal/pgp", "internal/source"},
	"internal/work":                {"internal/connect", "internal/events", "internal/fair", "internal/identity", "internal/ingest", "internal/job", "internal/lake", "internal/landing", "internal/launch", "internal/meta", "internal/profile", "internal/schedule", "internal/webhook"}, // lake: creating, dropping and reading tables
	"internal/webhook":             {"internal/netguard"},                                                                                                                                                                                                                                  // the refusal of an address, which is told apart from other failures
	"internal/tabular":             {"internal/unpack"},                                                                                                                                                                                                                                    // the vocabulary: no room
	"internal/tabular/csv":         {"internal/background", "internal/identity", "internal/tabular", "internal/tabular/input", "internal/tabular/value"},
	"internal/tabular/formats":     {"internal/background", "internal/pgp", "internal/tabular", "internal/tabular/csv", "internal/tabular/input", "internal/tabular/json", "internal/tabular/parquet", "internal/unpack"},
	"internal/tabular/input":       {"internal/tabular"},
	"internal/tabular/json":        {"internal/background", "internal/tabular", "internal/tabular/input", "internal/tabular/value"},
	"internal/tabular/parquet":     {"internal/background", "internal/tabular", "internal/tabular/value", "internal/unpack"},
	"internal/tabular/tabulartest": {"internal/tabular"},
	"internal/tabular/value":       {"internal/identity", "internal/tabular"},
	"internal/web":                 {"internal/background"}, // background: large answers give way
	"internal/wire":                {"client"},              // what the API and its client in importing convert alike
	"internal/unpack":              {"internal/background", "internal/pgp"},
	"internal/pgp":                 {},
	"bench/api":                    {"bench/server"},
	"bench/server":                 {"client"},
	"bench/source":                 {"bench/server", "client"},
	"bench/upload":                 {"bench/server"},
	"bench/years":                  {"bench/server", "client"},
	"bench/gen":                    {},
	"bench/run":                    {"bench/server"},
	"tests/ingesttest":             {"internal/identity", "internal/ingest", "internal/lake", "internal/profile", "internal/profile/pebble", "internal/blob/local", "internal/reject"}, // composes a pipeline as app does, on real engines
	"tests/icebergtest":            {},
	"tests/servertest":             {},
	"tests/rostertest":             {"client"},
	"third_party/substrait":        {}, // a module of its own: data that iceberg-go reads
}

// confined lists the only packages that may import a library.
var confined = map[string][]string{
	"html/template":                     {}, // a program that can run a template keeps every exported method of its libraries
	"text/template":                     {},
	"github.com/riverqueue/river":       {"internal/queue"},
	"github.com/cockroachdb/pebble":     {"internal/profile/pebble"},
	"github.com/apache/iceberg-go":      {"internal/lake", "tests/icebergtest"}, // icebergtest: another engine
	"github.com/jackc/pgx":              {"internal/meta/postgres", "internal/meta/metatest"},
	"modernc.org/sqlite":                {"internal/meta/sqlite", "internal/app", "bench/api", "tests/ingesttest"}, // app, tests: the catalog's own database; bench: a database filled fast
	"github.com/spf13/cobra":            {"cmd/roster"},
	"github.com/coreos/go-oidc":         {"internal/auth"},
	"github.com/go-jose":                {"internal/auth"},
	"github.com/netresearch/go-cron":    {"internal/schedule"},
	"github.com/pkg/sftp":               {"internal/source/sftp"},
	"github.com/aws/aws-sdk-go-v2":      {"bench/source", "internal/secret", "internal/blob/bucket"}, // bench: files put into a bucket; secret: the key service
	"github.com/Azure/azure-sdk-for-go": {"internal/blob/bucket"},
	"golang.org/x/oauth2":               {"internal/blob/bucket"},
	"github.com/ProtonMail/go-crypto":   {"internal/pgp"},
	"github.com/tink-crypto/tink-go":    {"internal/secret"},
	"github.com/go-json-experiment":     {"internal/api", "internal/tabular/json", "internal/tabular/parquet"},
	"net/http":                          {"client", "internal/api", "internal/app", "internal/auth", "internal/edge", "internal/netguard", "internal/blob/bucket", "internal/web", "internal/webhook", "cmd/roster", "bench/api", "bench/server", "bench/upload", "tests/servertest"}, // auth: keys of an OIDC issuer; servertest: a proxy with faults; bench: connections that do little, and the bare handler
	"database/sql":                      {"bench/api", "internal/app", "internal/job", "internal/lake", "internal/meta", "internal/meta/metatest", "internal/meta/postgres", "internal/meta/sqlite", "internal/meta/sqlstore", "internal/queue", "tests/icebergtest", "tests/ingesttest"},
}

// withoutFiles are packages that open no file: their data lies behind a contract.
var withoutFiles = []string{"internal/api", "internal/audience", "internal/connect", "internal/control", "internal/events", "internal/job", "internal/launch", "internal/members",
	"internal/meta", "internal/reject", "internal/schedule", "internal/survey", "internal/web", "internal/work"}

// unexposed are packages of stores whose types the API does not use.
var unexposed = []string{"internal/lake", "internal/meta", "internal/profile", "internal/blob", "internal/source"}

// environment lists the packages that may read the environment: the configuration, the command that passes the
// environment on, and the packages that find the servers of tests.
var environment = []string{"internal/app", "cmd/roster", "internal/meta/metatest", "tests/servertest"}

// disk lists the packages that may use the local disk, and for what. Data lies in byte stores, and only their local
// engine uses files.
var disk = map[string]string{
	"internal/durable":     "files that survive a crash",
	"internal/blob/local":  "the byte store of the local disk",
	"internal/ingest":      "scratch files",
	"internal/landing":     "incomplete uploads of earlier versions",
	"internal/meta/sqlite": "the file of the database, closed to others",
	"internal/app":         "the data directory: its lock, credentials, configuration, clock and last words",
	"internal/auth":        "the signing key",
	"internal/secret":      "the ring of keys and the master key",
}

// diskCalls are the functions of package os that open, create, rename, remove or inspect files.
var diskCalls = []string{"Chmod", "Chtimes", "Create", "CreateTemp", "DirFS", "Link", "Lstat", "Mkdir", "MkdirAll", "MkdirTemp", "Open", "OpenFile", "OpenInRoot", "OpenRoot",
	"ReadDir", "ReadFile", "Readlink", "Remove", "RemoveAll", "Rename", "Stat", "Symlink", "Truncate", "WriteFile"}

func TestImports(t *testing.T) {
	t.Parallel()
	c := checker{found: map[string]bool{}, files: map[string]bool{}, used: map[[2]string]bool{}}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		c.file(t, file, path.Dir(filepath.ToSlash(rel)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.stale(t)
}

// unreachable are packages that the API, the use cases and the worker must not reach through any chain of imports: the
// job queue, engines of stores, the SDKs of clouds and the drivers of databases. internal/app passes them in.
var unreachable = []string{"github.com/riverqueue/", "github.com/cockroachdb/pebble", "github.com/jackc/", "modernc.org/sqlite", "github.com/pkg/sftp",
	"github.com/aws/", "github.com/Azure/", "google.golang.org/api", "cloud.google.com/go/storage", "roster/internal/app", "roster/internal/queue",
	"roster/internal/meta/", "roster/internal/profile/", "roster/internal/blob/bucket", "roster/internal/source/sftp", "roster/internal/secret"}

// TestReach follows the imports of the API, the use cases and the worker.
func TestReach(t *testing.T) {
	t.Parallel()
	for pkg, more := range map[string][]string{
		"api": {"roster/internal/work", "roster/internal/ingest", "roster/internal/tabular"}, "control": {"roster/internal/work", "roster/internal/ingest", "roster/internal/tabular"},
		"work": {"roster/internal/control", "roster/internal/api"},
	} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "roster/internal/"+pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range strings.Fields(string(out)) {
			for _, m := range append(more, unreachable...) {
				if strings.HasPrefix(p, m) {
					t.Errorf("internal/%s reaches %s; a contract stands between them", pkg, p)
				}
			}
		}
	}
}

// mostPackages is the limit of foreign packages, including those of the standard library, that a build of roster
// compiles. docs/DEPENDENCIES.md shows what each dependency brings. A few more are allowed for small changes. Roster's
// own packages do not count.
const mostPackages = 1070 + 6

// replaced are modules that brought too many packages. docs/decisions/20261130-lighter.md says what replaces them.
var replaced = []string{"cloud.google.com/go/storage", "github.com/envoyproxy/", "github.com/spiffe/", "gocloud.dev", "github.com/AzureAD/", "github.com/uptrace/bun", "github.com/go-sql-driver/mysql"}

// TestPackages counts the packages that a build compiles.
func TestPackages(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "roster/cmd/roster").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := slices.DeleteFunc(strings.Fields(string(out)), func(p string) bool { return strings.HasPrefix(p, "roster/") })
	if len(packages) > mostPackages {
		t.Errorf("a build compiles %d packages of others, more than %d: see docs/DEPENDENCIES.md", len(packages), mostPackages)
	}
	for _, p := range packages {
		for _, m := range replaced {
			if strings.HasPrefix(p, m) {
				t.Errorf("a build compiles %s, which was replaced", p)
			}
		}
	}
}

// checker records what it saw, so that the tables do not outlive the code.
type checker struct {
	found map[string]bool
	files map[string]bool    // packages that use the disk
	used  map[[2]string]bool // package and its import: a package of ours, or a confined library
}

func (c *checker) file(t *testing.T, file, pkg string) {
	t.Helper()
	c.found[pkg] = true
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
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
		c.used[[2]string{pkg, own}] = true
		switch {
		case ours && own != "internal/audience" && !slices.Contains(may, own) && !slices.Contains(may, "*"):
			t.Errorf("%s imports %s, which the table does not allow", file, own)
		case (name == "os" || strings.HasPrefix(name, "os/")) && slices.Contains(withoutFiles, pkg):
			t.Errorf("%s imports %s; only packages behind a contract open files", file, name)
		case strings.HasPrefix(name, "github.com/apache/arrow-go/") && (pkg == "internal/api" || pkg == "internal/control"):
			t.Errorf("%s imports %s; use the columns of internal/members", file, name)
		case pkg == "internal/api" && slices.Contains(unexposed, own):
			t.Errorf("%s imports %s; the API uses the types of the use cases", file, name)
		case pkg == "internal/audience" && strings.Contains(name, "."):
			t.Errorf("%s imports %s; the domain imports the standard library only", file, name)
		}
		for lib, by := range confined {
			if name != lib && !strings.HasPrefix(name, lib+"/") {
				continue
			}
			c.used[[2]string{pkg, lib}] = true
			if !slices.Contains(by, pkg) {
				t.Errorf("%s imports %s, which only these packages may import: %q", file, name, by)
			}
		}
	}
	c.onDisk(t, file, pkg, f)
	if !slices.Contains(environment, pkg) {
		for _, name := range []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"} {
			if uses(f, "os", name) {
				t.Errorf("%s uses os.%s; only %s read the environment", file, name, strings.Join(environment, ", "))
			}
		}
	}
}

// onDisk checks that a package of the server that uses the local disk is allowed to.
func (c *checker) onDisk(t *testing.T, file, pkg string, f *ast.File) {
	t.Helper()
	if !strings.HasPrefix(pkg, "internal/") {
		return // commands, tests and benchmarks may use files
	}
	for _, name := range diskCalls {
		if !uses(f, "os", name) {
			continue
		}
		c.files[pkg] = true
		if disk[pkg] == "" {
			t.Errorf("%s uses os.%s; data lies in a byte store (internal/blob), and only the packages in the table of the disk have files", file, name)
		}
	}
}

// uses reports whether a file names pkg.name.
func uses(f *ast.File, pkg, name string) bool {
	found := false
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == name {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == pkg {
				found = true
			}
		}
		return !found
	})
	return found
}

// stale reports entries of the tables that the code no longer needs.
func (c *checker) stale(t *testing.T) {
	t.Helper()
	for pkg, may := range allowed {
		if !c.found[pkg] {
			t.Errorf("the table names %s, which does not exist", pkg)
		}
		for _, own := range may {
			if own != "*" && !c.used[[2]string{pkg, own}] {
				t.Errorf("the table allows %s to import %s, but it does not", pkg, own)
			}
		}
	}
	for lib, by := range confined {
		for _, pkg := range by {
			if !c.used[[2]string{pkg, lib}] {
				t.Errorf("the table allows %s to import %s, but it does not", pkg, lib)
			}
		}
	}
	for pkg := range disk {
		if !c.files[pkg] {
			t.Errorf("the table of the disk names %s, which does not use it", pkg)
		}
	}
	for _, pkg := range slices.Concat(environment, withoutFiles, unexposed) {
		if !c.found[pkg] {
			t.Errorf("a list names %s, which does not exist", pkg)
		}
	}
}
