// Package docs checks statements of the documents against the program.
package docs

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"roster/internal/app"
	"roster/tests/rostertest"
)

const root = "../.."

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var link = regexp.MustCompile(`\]\(([^)]+)\)`)

// TestLinks checks that links between files lead to existing files.
func TestLinks(t *testing.T) {
	t.Parallel()
	documents := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".md" {
			return err
		}
		documents++
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			u, err := url.Parse(m[1])
			if err != nil || u.IsAbs() || u.Path == "" {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), u.Path)); err != nil {
				t.Errorf("%s links to %s, which does not exist", path, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if documents == 0 {
		t.Fatal("no documents found")
	}
}

var place = regexp.MustCompile("`((?:api|client|cmd|internal|tests|bench|docs)/[a-zA-Z0-9_./-]*)`")

// TestPlaces checks that folders and files that documents name exist.
func TestPlaces(t *testing.T) {
	t.Parallel()
	for _, document := range []string{"docs/ARCHITECTURE.md", "docs/INVARIANTS.md", "README.md", "CONTRIBUTING.md", "docs/IMPORT.md", "docs/OPERATIONS.md", "bench/README.md"} {
		for _, m := range place.FindAllStringSubmatch(text(t, document), -1) {
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s names %s, which does not exist", document, m[1])
			}
		}
	}
}

var (
	defined = regexp.MustCompile(`(?m)^(\d+)\. \*\*`)
	cited   = regexp.MustCompile(`[Ii]nvariants? (\d+)`)
)

// TestInvariants checks that the invariants that code cites are in INVARIANTS.md.
func TestInvariants(t *testing.T) {
	t.Parallel()
	numbers := map[string]bool{}
	for i, m := range defined.FindAllStringSubmatch(text(t, "docs/INVARIANTS.md"), -1) {
		numbers[m[1]] = true
		if m[1] != strconv.Itoa(i+1) {
			t.Errorf("invariant %s is the %d. in INVARIANTS.md", m[1], i+1)
		}
	}
	citations := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range cited.FindAllStringSubmatch(string(b), -1) {
			citations++
			if !numbers[m[1]] {
				t.Errorf("%s cites invariant %s, which INVARIANTS.md does not have", path, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if citations == 0 {
		t.Error("no code cites an invariant")
	}
}

// TestSettings compares the documented table of settings with the program's.
func TestSettings(t *testing.T) {
	t.Parallel()
	table := text(t, "docs/SETTINGS.md")
	settings := app.Settings()
	for _, s := range settings {
		row := fmt.Sprintf("| `--%s` | `%s` | ", s.Name, s.Env())
		if !s.Flag() {
			row = fmt.Sprintf("| no flag | `%s` | ", s.Env())
		}
		_, rest, found := strings.Cut(table, row)
		if !found {
			t.Errorf("SETTINGS.md has no row %q", row)
			continue
		}
		shown, _, _ := strings.Cut(rest, " |")
		if s.Default != "" && shown != "`"+s.Default+"`" {
			t.Errorf("SETTINGS.md says that the default of --%s is %s, but the program has %q", s.Name, shown, s.Default)
		}
	}
	if rows := strings.Count(table, "| `--") + strings.Count(table, "| no flag |"); rows != len(settings) {
		t.Errorf("SETTINGS.md has %d settings, the program %d", rows, len(settings))
	}
}

// TestVariables compares the variables that enable tests with those that CONTRIBUTING.md explains and .ci/run sets.
func TestVariables(t *testing.T) {
	t.Parallel()
	variable := regexp.MustCompile(`ROSTER_TEST_[A-Z_]+`)
	used := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		b, err := os.ReadFile(path)
		for _, name := range variable.FindAllString(string(b), -1) {
			used[name] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"CONTRIBUTING.md", ".ci/run"} {
		named := map[string]bool{}
		for _, name := range variable.FindAllString(text(t, file), -1) {
			named[name] = true
		}
		for name := range used {
			if !named[name] {
				t.Errorf("%s does not name %s", file, name)
			}
		}
		for name := range named {
			if !used[name] {
				t.Errorf("%s names %s, which no test uses", file, name)
			}
		}
	}
}

// TestTour runs the commands of README's tour with curl, on a free port.
func TestTour(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("install %s to run the tour of README.md", program)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(text(t, "README.md"), "\n## Five minutes with curl\n")
	section, _, _ := strings.Cut(rest, "\n## ")
	var script strings.Builder
	script.WriteString("set -eu -o pipefail\n")
	for line := range strings.Lines(section) {
		command, isCommand := strings.CutPrefix(line, "    ")
		switch {
		case strings.HasPrefix(command, "./roster serve"):
			fmt.Fprintf(&script, "'%s' serve --listen %s >serve.log 2>&1 &\nserver=$!\ntrap 'kill $server; wait $server' EXIT\n"+
				"curl -s --retry 100 --retry-delay 1 --retry-connrefused http://%s/readyz >/dev/null\n", rostertest.Binary(t), address, address)
		case isCommand:
			script.WriteString(strings.ReplaceAll(command, app.DefaultListen, address))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script.String())
	cmd.Dir = t.TempDir()
	// A refused call ends the script with the server's answer.
	if err := os.WriteFile(filepath.Join(cmd.Dir, ".curlrc"), []byte("fail-with-body\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "CURL_HOME="+cmd.Dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // bash then runs its trap
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{`"size":56`, `"rowsRead":2`, `"added":2`, `"status":"realized"`, `"labels":["core/C2"]`, `"totalCount":1`, `"roster.guard.tripped"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the tour does not show %s:\n%s", want, out)
		}
	}
}
