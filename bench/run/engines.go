package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// roster is this program: `roster import` on its own data directory, profile store included.
type roster struct {
	dir, memory string
	binary      string
	place       string // the file that the audience reads
}

func (r *roster) name() string { return "Roster" }

func (r *roster) begin(ctx context.Context) error {
	r.place = filepath.Join(r.dir, "roster-in", "people.csv")
	if err := os.MkdirAll(filepath.Dir(r.place), 0o755); err != nil {
		return err
	}
	if r.binary != "" {
		return nil
	}
	r.binary = filepath.Join(r.dir, "roster")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", r.binary, "roster/cmd/roster").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

func (r *roster) do(ctx context.Context, w work) (figures, counts, error) {
	if err := copyFile(w.File, r.place); err != nil {
		return figures{}, counts{}, err
	}
	mode := "--changes"
	if w.Full {
		mode = "--full"
	}
	args := []string{"import", r.place, "--name", "people", "--identity", "ppid=Email", mode, "--json", "--data-dir", filepath.Join(r.dir, "roster-data")}
	if r.memory != "" {
		args = append(args, "--memory", r.memory)
	}
	cmd := exec.CommandContext(ctx, r.binary, args...)
	cmd.Env = append(cmd.Environ(), "ROSTER_SETTLE_AGE=0s") // like the other engines, do not wait for the file to settle
	out, f, err := measured(cmd)
	if err != nil {
		return f, counts{}, err
	}
	var said struct {
		Run struct {
			Rows    struct{ Added, Updated int64 }
			Members struct{ After, Removed int64 }
		}
	}
	err = json.Unmarshal(out, &said)
	return f, counts{said.Run.Members.After, said.Run.Rows.Added, said.Run.Rows.Updated, said.Run.Members.Removed}, err
}

func (r *roster) end() error { return os.RemoveAll(filepath.Join(r.dir, "roster-data")) }

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

//go:embed duck.py
var duckScript []byte

// duck is DuckDB from a script: typed Parquet, no serving store.
type duck struct{ dir, python string }

func (d *duck) name() string { return "DuckDB" }

func (d *duck) state() string { return filepath.Join(d.dir, "duck.parquet") }

func (d *duck) begin(context.Context) error {
	return os.WriteFile(filepath.Join(d.dir, "duck.py"), duckScript, 0o644)
}

func (d *duck) do(ctx context.Context, w work) (figures, counts, error) {
	mode := "changes"
	if w.Full {
		mode = "full"
	}
	out, f, err := measured(exec.CommandContext(ctx, d.python, filepath.Join(d.dir, "duck.py"), mode, w.File, d.state()))
	if err != nil {
		return f, counts{}, err
	}
	var c counts
	err = json.Unmarshal(out, &c)
	return f, c, err
}

func (d *duck) end() error { return os.RemoveAll(d.state()) }
