package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTomorrowsFile updates an audience from files with other names, locations, columns and formats.
func TestTomorrowsFile(t *testing.T) {
	n := newNewcomer(t)
	n.run(2, "import absent.csv --name people", "absent.csv")
	n.file("monday.csv", "mail,points,tier\nada@example.com,1,gold\nbob@example.com,2,gold\n")
	n.run(2, "import monday.csv --name people", "--identity", "mail, points, tier")
	if _, err := os.Stat(filepath.Join(n.dir, "roster-data")); err == nil {
		t.Error("a refused import has made a data directory")
	}
	n.run(0, "import monday.csv --name people --identity mail=Email", "2 members")
	if err := os.Mkdir(filepath.Join(n.dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	n.file("sub/tuesday.csv", "note;points;mail\nx;3;cleo@example.com\ny;x;dan@example.com\n")
	n.run(2, "import sub/tuesday.csv --name people", "--full", "--changes")
	n.run(4, "import sub/tuesday.csv --name people --changes --dry-run", "sub/tuesday.csv:3", "--max-rejected 50", "would join, from lines of sub/tuesday.csv: 2",
		"does not have, null in its rows: tier", "left out: note", "long in the audience")
	out := n.run(0, "import sub/tuesday.csv --name people --changes --max-rejected 50", "3 members")
	if strings.Contains(out, "guards.") || strings.Contains(out, `"force"`) {
		t.Errorf("members of the API on the command line:\n%s", out)
	}
	n.run(4, "import sub/tuesday.csv --name people --full", "--changes", "--force")
	n.run(0, "import monday.csv --name people --full", "2 members")
	n.run(0, "import monday.csv --name people --changes", "Nothing was read of monday.csv")

	n.run(2, "import monday.csv --name people --full --field points=string", "points has the type long", "roster audience delete")
	n.run(2, "import monday.csv --name people --full --identity tier=CORE", "tier is no identity")
	n.run(2, "import monday.csv --name people --full --columns mail,points", "--columns leaves out tier")
	n.file("other.csv", "name,points\nAda,1\n")
	n.run(2, "import other.csv --name people --full", "no column mail")
	n.run(0, "members people --format csv", "ada@example.com,1,gold", "bob@example.com,2,gold")

	n.run(0, "import monday.csv --name mails --identity mail=Email --columns mail", "Left out by --columns: 2")
	n.run(2, "import monday.csv --name mails --identity mail=Email --columns mail,nope", "nope")
	n.run(2, "import monday.csv --name mails --identity mail=Email --columns points", "--identity mail")
}

// TestWrongFirstGuess imports with a wrong guess, and then with the right one under the same name.
func TestWrongFirstGuess(t *testing.T) {
	n := newNewcomer(t)
	n.file("list.csv", "ref;mail;born\n1;ada@example.com;03.05.1988\n2;bob@example.com;04.05.1988\n")
	n.run(4, "import list.csv --name people --identity ref=Email --ttl 5", "no @")
	n.run(4, "import list.csv --name people --identity ref=Email --dry-run", "no row")
	n.run(4, "import list.csv --name people --identity mail=Email --field born=date", "born")
	n.run(0, "import list.csv --name people --identity mail=Email --field born=date --date-format dd.MM.yyyy", "never had a member", "2 members")
	n.run(0, "members people --format csv", "1988-05-03")
	n.run(2, "import list.csv --name people --identity ref=Phone --full", "ref is no identity")
}
