package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"roster/internal/audience"
	"roster/internal/importing"
)

// terminal shows an import to the person at the command line and asks that person.
type terminal struct {
	name, file string // of the audience, and of the file without its folder
	in         io.Reader
	asks       bool // in and out are terminals, so that a person can answer
	out        io.Writer
	notes      io.Writer // standard error
	bar        *progress // of the upload, if there is one, and of the run
}

var _ importing.Person = (*terminal)(nil)

func (*terminal) Option(name, value string) string { return spellOption(name, value) }

func (t *terminal) Tell(text string) { fmt.Fprintln(t.out, text) }

// Show shows how the file is read, and which field each column becomes.
func (t *terminal) Show(c importing.Columns) {
	of := "all " + count(int64(c.Rows))
	if c.More {
		of = "the first " + count(int64(c.Rows))
	}
	fmt.Fprintf(t.out, "%s, %s, %s. Columns, with the types found in %s rows:\n", c.File, size(c.Size), written(c.Format), of)
	var rows [][]string
	for _, column := range c.Columns {
		rows = append(rows, []string{column.Name, column.Type, column.Note})
	}
	table(t.out, "  ", rows)
	if c.LeftOut > 0 {
		fmt.Fprintf(t.out, "Left out by --columns: %d columns\n", c.LeftOut)
	}
	if len(c.Nested) > 0 {
		fmt.Fprintf(t.out, "Left out, since they cannot be columns: %s\n", strings.Join(c.Nested, ", "))
	}
	if len(c.Unnamed) > 0 {
		fmt.Fprintf(t.out, "Left out, since the name is not valid for a field or several columns have it: %q\n", c.Unnamed)
	}
}

// written describes the format of a file where it differs from a usual one.
func written(f audience.Format) string {
	parts := []string{string(f.Type)}
	if f.Compression != audience.None {
		parts = append(parts, "in "+f.Compression)
	}
	if f.Type == audience.CSV && f.Delimiter != "," {
		parts = append(parts, fmt.Sprintf("split at %q", f.Delimiter))
	}
	if f.Encoding != "" && f.Encoding != "utf-8" {
		parts = append(parts, "as "+f.Encoding)
	}
	return strings.Join(parts, " ")
}

// AskWider shows the wider types, and on a terminal asks whether to use them.
func (t *terminal) AskWider(ctx context.Context, sample int, list []importing.Widened) (bool, error) {
	fmt.Fprintf(t.out, "\nRows after the first %s have values that do not fit the types found:\n", count(int64(sample)))
	for _, w := range list {
		fmt.Fprintf(t.out, "  %s: %s instead of %s, for line %d (%s); --field %s=%s keeps it\n", w.Column, w.To, w.From, w.Line, w.Reason, w.Column, w.From)
	}
	if !t.asks {
		return true, nil
	}
	answer, err := t.ask(ctx, "Use the wider types? Otherwise such rows are rejects. [Y/n] ")
	return !strings.HasPrefix(answer, "n"), err
}

// AskFull asks on a terminal whether the file is the complete list.
func (t *terminal) AskFull(ctx context.Context, members int64) (full bool, err error) {
	if !t.asks {
		return false, usagef("the audience %q has %s; say what the file is: --full (the complete list, whoever is not in it leaves) or --changes (nobody leaves)",
			t.name, memberCount(members))
	}
	answer, err := t.ask(ctx, fmt.Sprintf("The audience %q has %s. Is %s the complete list (whoever is not in it leaves), or changes (nobody leaves)? [full/changes] ",
		t.name, memberCount(members), t.file))
	if err != nil {
		return false, err
	}
	switch answer {
	case "full", "f":
		return true, nil
	case "changes", "c":
		return false, nil
	}
	return false, usagef("the answer must be full or changes")
}

// ask asks a question and returns the answer in lower case. It returns an error when ctx ends.
func (t *terminal) ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(t.out, question)
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(t.in).ReadString('\n')
		line <- text
	}()
	select {
	case text := <-line:
		return strings.ToLower(strings.TrimSpace(text)), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Progress shows the progress of the upload and of the run after it.
func (t *terminal) Progress(name string, done, total, rows int64) {
	if t.bar == nil {
		steps := runSteps
		if name == importing.Upload {
			steps = append([]step{uploadStep}, steps...)
		}
		t.bar = newProgress(t.notes, steps...)
		t.out = t.bar.above(t.out)
	}
	t.bar.update(name, done, total, rows)
}

// patience is how long an import waits for a server that restarts.
const patience = time.Minute

// outage reports that the server at an address does not answer, and later that it answers again.
func (t *terminal) outage(server string, reason error) {
	notes := t.notes
	if t.bar != nil {
		notes = t.bar.above(notes)
	}
	if reason == nil {
		fmt.Fprintln(notes, "The server answers again.")
		return
	}
	fmt.Fprintf(notes, "The server at %s does not answer (%v); waiting for it, %s at most.\n", server, reason, patience)
}
