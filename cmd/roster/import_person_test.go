package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/importing"
)

// atTerminal is a person who types an answer.
func atTerminal(answer string) (*terminal, *bytes.Buffer) {
	var out bytes.Buffer
	return &terminal{name: "people", file: "list.csv", in: strings.NewReader(answer), asks: true, out: &out, notes: &out}, &out
}

// TestAskFull asks what a file is.
func TestAskFull(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]struct {
		full bool
		err  string
	}{"full\n": {true, ""}, " F \n": {true, ""}, "changes": {false, ""}, "c\n": {false, ""}, "\n": {false, "must be full or changes"}, "yes\n": {false, "must be full or changes"}} {
		p, out := atTerminal(answer)
		full, err := p.AskFull(t.Context(), 1200)
		if full != want.full || want.err == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), want.err) {
			t.Errorf("%q: %t, %v", answer, full, err)
		}
		if text := out.String(); text != `The audience "people" has 1,200 members. Is list.csv the complete list (whoever is not in it leaves), or changes (nobody leaves)? [full/changes] ` {
			t.Error(text)
		}
	}
	p, out := atTerminal("full\n")
	p.asks = false
	if _, err := p.AskFull(t.Context(), 1); exitCode(t.Context(), err) != exitUsage || out.Len() > 0 ||
		err.Error() != `the audience "people" has 1 member; say what the file is: --full (the complete list, whoever is not in it leaves) or --changes (nobody leaves)` {
		t.Error(err, out)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p, _ = atTerminal("")
	if _, err := p.AskFull(ctx, 1); !errors.Is(err, context.Canceled) && exitCode(t.Context(), err) != exitUsage {
		t.Error(err)
	}
}

// TestAskWider shows wider types, and asks where there is a person.
func TestAskWider(t *testing.T) {
	t.Parallel()
	list := []importing.Widened{{Column: "age", From: "integer", To: "number", Line: 10_004, Reason: "is no whole number"}}
	const shown = "\nRows after the first 10,000 have values that do not fit the types found:\n  age: number instead of integer, for line 10004 (is no whole number); --field age=integer keeps it\n"
	for _, c := range []struct {
		answer     string
		asks, take bool
	}{{"\n", true, true}, {"y\n", true, true}, {"No\n", true, false}, {"n\n", false, true}} {
		p, out := atTerminal(c.answer)
		p.asks = c.asks
		take, err := p.AskWider(t.Context(), 10_000, list)
		if err != nil || take != c.take || !strings.HasPrefix(out.String(), shown) || strings.Contains(out.String(), "[Y/n]") != c.asks {
			t.Errorf("%q: %t, %v: %s", c.answer, take, err, out)
		}
	}
}

// TestShowColumns writes how a file is read.
func TestShowColumns(t *testing.T) {
	t.Parallel()
	p, out := atTerminal("")
	p.Show(importing.Columns{File: "list.csv", Size: 2048, Format: audience.Format{Type: audience.CSV, Delimiter: ";", Compression: "gzip", Encoding: "windows-1252"}, Rows: 10_000, More: true,
		Columns: []importing.ShownColumn{{Name: "mail", Type: "string", Note: "identity, Email"}, {Name: "age", Type: "long"}}, LeftOut: 2, Nested: []string{"tags"}, Unnamed: []string{"a", "b"}})
	const want = `list.csv, 2.0 KiB, csv in gzip split at ";" as windows-1252. Columns, with the types found in the first 10,000 rows:
  mail  string  identity, Email
  age   long
Left out by --columns: 2 columns
Left out, since they cannot be columns: tags
Left out, since the name is not valid for a field or several columns have it: ["a" "b"]
`
	if got := out.String(); strings.ReplaceAll(got, " \n", "\n") != want {
		t.Errorf("%s", got)
	}
}

// TestReport writes what became of the rows of a run that failed, and of one that did not.
func TestReport(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		result importing.Result
		code   int
		want   []string
	}{
		{"success", importing.Result{AudienceID: "a1", Run: &client.Run{RunID: "r1", Status: client.Success, Rows: &client.Rows{Read: 1200, Added: 1199, Rejected: 1}, Members: &client.Members{After: 1199},
			Files: []client.RunFile{{Path: "imports/x.csv", BlankRows: 2}}, Rejects: []client.Reject{{File: "imports/x.csv", Line: 7, Column: "age", Code: "TYPE", Reason: "is no number"}}}}, exitDone,
			[]string{"\nRun r1: SUCCESS in ", "rows read", "1,200", "Rejected rows:\n  here.csv:7", "Empty rows of here.csv", `The audience "people" has 1,199 members (a1).`}},
		{"failed", importing.Result{Run: &client.Run{RunID: "r1", Status: "FAILED", Error: &client.Failure{Code: "1", Detail: "gone"}}}, exitRunFailed, []string{"\nRun r1: FAILED\n"}},
		{"again", importing.Result{AlreadyImported: true, Run: &client.Run{RunID: "r1", Status: client.Success}}, exitDone, []string{"here.csv has not changed since run r1 read it; there is nothing to do."}},
		{"dry run", importing.Result{Run: &client.Run{Status: client.Success, DryRun: true, Members: &client.Members{After: 1, Removed: 3}, Changes: []client.Change{{Change: "added", File: "f", Line: 3}, {Change: "added", File: "f", Line: 5}}}},
			exitDone, []string{"Members who would join, from lines of f: 3, 5", "Members who would leave, since here.csv does not have them: 3", `nothing has changed. The audience "people" would have 1 member.`}},
		{"dry run without an audience", importing.Result{DryRun: &importing.DryRun{RowsRead: 10, RowsRejected: 1, Rejects: []client.Reject{{File: "here.csv", Line: 2}}}}, exitDone,
			[]string{"\n10 rows, of which 1 would be rejected.\n", "here.csv:2", `there is no audience "people" yet, and none was created.`}},
	} {
		p, out := atTerminal("")
		im := &importer{flags: importOptions{file: "here.csv"}, Import: importing.New(t.Context(), importing.Request{Name: "people"}, importing.File{Content: strings.NewReader("")}, p), terminal: p}
		im.Result = c.result
		err := im.report(nil)
		if code := exitDone; err != nil {
			if code = exitCode(t.Context(), err); code != c.code {
				t.Errorf("%s: exit code %d: %v", c.name, code, err)
			}
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: no %q in %s", c.name, want, out)
			}
		}
	}
}
