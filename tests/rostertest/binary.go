// Package rostertest builds the roster binary for black-box tests and starts it on a data directory.
package rostertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gofrs/flock"

	"roster/client"
)

// build makes Go link the program and keep it in its build cache, where `go run` finds it as long as no source changes.
// So the packages of tests, which are separate processes, link the program only once. The lock prevents two concurrent
// links.
var build = sync.OnceValues(func() (path string, err error) {
	lock := flock.New(filepath.Join(os.TempDir(), fmt.Sprintf("roster-test-build-%d.lock", os.Getuid())))
	if err := lock.Lock(); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	// A freshly linked program runs from a temporary directory; the second call finds it in the cache.
	for range 2 {
		show := exec.Command("go", "run", "-exec", "echo", "roster/cmd/roster")
		show.Env = append(show.Environ(), "CGO_ENABLED=0")
		out, err := show.Output()
		if err != nil {
			stderr := ""
			if e, ok := errors.AsType[*exec.ExitError](err); ok {
				stderr = string(e.Stderr)
			}
			return "", fmt.Errorf("go run: %w\n%s", err, stderr)
		}
		path = strings.TrimSpace(string(out))
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("go run did not keep the program: %s does not exist", path)
})

// Binary returns the path of the roster program, which it links if its sources have changed. The program has no debug information.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Place copies a file to the place that an audience reads.
func Place(t testing.TB, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Imported is the output of `roster import --json`, as far as tests use it.
type Imported struct {
	AudienceID string     `json:"audienceId"`
	Run        client.Run `json:"run"`
}

// ImportCommand returns the command that imports a file into the audience "people" of a data directory.
func ImportCommand(ctx context.Context, t testing.TB, dataDir, file, identity string, more ...string) *exec.Cmd {
	args := append([]string{"import", file, "--name", "people", "--identity", identity, "--data-dir", dataDir, "--json"}, more...)
	return exec.CommandContext(ctx, Binary(t), args...)
}

// Import imports a file and returns the command's output.
func Import(t testing.TB, dataDir, file, identity string, more ...string) Imported {
	t.Helper()
	out, err := ImportCommand(t.Context(), t, dataDir, file, identity, more...).Output()
	if err != nil {
		stderr := ""
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			stderr = string(e.Stderr)
		}
		t.Fatalf("roster import %s: %v\n%s\n%s", file, err, out, stderr)
	}
	var im Imported
	if err := json.Unmarshal(out, &im); err != nil {
		t.Fatalf("roster import %s printed no JSON: %v\n%s", file, err, out)
	}
	return im
}

// Metadata returns the newest Iceberg metadata file of the audience.
func Metadata(t testing.TB, dataDir, audienceID string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dataDir, "lake", "*", audienceID, "metadata", "*.metadata.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no metadata of audience %s: %v", audienceID, err)
	}
	return files[len(files)-1] // the names begin with a number
}
