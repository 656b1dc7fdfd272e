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
	"sync"
	"testing"

	"roster/client"
)

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "roster-bin-*")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "roster")
	out, err := exec.Command("go", "build", "-o", path, "roster/cmd/roster").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// Binary builds roster once per test process and returns its path.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Cleanup removes the built binary; call it at the end of TestMain.
func Cleanup() {
	if path, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
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

// Imported is the document that `roster import --json` prints, as far as tests look at it.
type Imported struct {
	AudienceID string     `json:"audienceId"`
	Run        client.Run `json:"run"`
}

// ImportCommand returns the command that imports a file into the audience "people" of a data directory.
func ImportCommand(ctx context.Context, t testing.TB, dataDir, file, identity string, more ...string) *exec.Cmd {
	args := append([]string{"import", file, "--name", "people", "--identity", identity, "--data-dir", dataDir, "--json"}, more...)
	return exec.CommandContext(ctx, Binary(t), args...)
}

// Import imports a file and returns what the command says of it.
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
	return files[len(files)-1] // they begin with their number
}
