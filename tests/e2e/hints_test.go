package e2e

import (
	"strings"
	"testing"
)

// TestHeaderHints imports files whose header is not in the expected line. The error names the line of the header and
// shows no row.
func TestHeaderHints(t *testing.T) {
	n := newNewcomer(t)
	quiet := func(code int, line string, mentions ...string) {
		t.Helper()
		got, stdout, stderr := finish(t, n.command(strings.Fields(line)...))
		for _, m := range mentions {
			if !strings.Contains(stderr, m) {
				t.Errorf("roster %s does not say %q: %s", line, m, stderr)
			}
		}
		if got != code || strings.Contains(stdout+stderr, "Lovelace") || strings.Contains(stdout+stderr, "ada@") {
			t.Errorf("roster %s: exit code %d, want %d, and no row:\n%s%s", line, got, code, stdout, stderr)
		}
	}
	n.file("none.csv", "Ada,Lovelace,Oslo\nBob,Smith,Bergen\n")
	quiet(2, "import none.csv --name people --identity mail=Email", "--no-header", "--skip-lines")
	quiet(2, "import none.csv --name people", "--identity", "--no-header", "--skip-lines")
	n.file("persons.csv", "ada@example.com,Lovelace\nbob@example.com,Smith\n")
	quiet(1, "import persons.csv --name people --identity mail=Email", "--no-header")

	n.file("titles.csv", "Report;x;\nof;2024;May\nmail;born;pay\nada@example.com;03.05.1988;1\n")
	quiet(2, "import titles.csv --name people --identity mail=Email --skip-lines 0", "line 3 of titles.csv names it: use --skip-lines 2")
	quiet(1, "import titles.csv --name people --identity mail=Email --skip-lines 3", "line 3 names the column mail: use --skip-lines 2")
	n.run(0, "import titles.csv --name people --identity mail=Email --skip-lines 2")
	quiet(2, "import titles.csv --name people --changes --skip-lines 0", "line 3 names the column mail: use --skip-lines 2")
	quiet(2, "import none.csv --name people --changes", "the file has no column mail")

	n.file("one.csv", "mail,points\nbob@example.com,1\n")
	n.run(4, "import one.csv --name headed --identity mail=Email --no-header --field mail=string --field points=integer", "Line 1 may be a header: --no-header=false")
	n.run(2, "import one.csv --name wrong --identity nope=Email", "the columns are mail, points")
}

// TestTypeHints checks that a hint names the option for text columns that could have another type, and no other
// columns.
func TestTypeHints(t *testing.T) {
	n := newNewcomer(t)
	n.file("list.csv", "mail;born;joined;seen;amount;price;code\n"+
		"ada@example.com;03.05.1988;01/02/2020;3/14/2020 5:06 PM;1,5;1.5;1.2.3\nbob@example.com;14.05.1988;02/03/2020;3/15/2020 5:06 PM;2,5;2.5;1.2.4\n")
	out := n.run(0, "import list.csv --name people --identity mail=Email --dry-run",
		"amount is text that looks like numbers: --decimal-comma",
		`born is text that looks like dates: --date-format "dd.MM.yyyy"`,
		`joined is text that looks like dates: --date-format "dd/MM/yyyy" reads them as dates, or --date-format "MM/dd/yyyy"`,
		`seen is text that looks like dates: --date-format "M/d/yyyy h:mm a"`)
	if strings.Contains(out, "code is text") || strings.Contains(out, "price is text") || strings.Contains(out, "mail is text") {
		t.Errorf("hints for other columns:\n%s", out)
	}
	out = n.run(0, "import list.csv --name people --identity mail=Email --decimal-comma --date-format dd.MM.yyyy --field joined=string",
		"price is text that looks like numbers: --decimal-comma=false")
	if strings.Contains(out, "born is text") || strings.Contains(out, "joined is text") {
		t.Errorf("hints for what was said:\n%s", out)
	}
}
