package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestFormatOptions tests each option of the format three times: detected, given, and given wrongly.
func TestFormatOptions(t *testing.T) {
	n := newNewcomer(t)
	n.file("list.csv", "List of members\nmail;points;tier\nada@example.com;1,5;gold\nbob@example.com;2,25;gold\ncleo@example.com;3,5\n")
	n.run(0, "import list.csv --name found --identity mail=Email",
		"--skip-lines 1 (the header", "--fill-short-rows (", "--decimal-comma (", "points  number", "3 members")
	n.run(0, "import list.csv --name given --identity mail=Email --skip-lines 1 --comment # --fill-short-rows --decimal-comma", "points  number", "3 members")
	n.run(0, "import list.csv --name text --identity mail=Email --decimal-comma=false", "points  string", "3 members")
	n.run(4, "import list.csv --name short --identity mail=Email --fill-short-rows=false", "list.csv:5", "1 of 3 rows")
	n.run(2, "import list.csv --name titles --identity mail=Email --skip-lines 0 --comment none", "no such column")
	n.file("noted.csv", "# of May\nmail,points\nada@example.com,1\n# bob joins in June\n")
	n.run(0, "import noted.csv --name noted --identity mail=Email", `--comment "#" (`, "1 member", "Comment lines of noted.csv, which are not counted: 2")
	n.run(2, "import noted.csv --name hashes --identity mail=Email --comment none --skip-lines 0", "no such column")
	n.run(2, "import list.csv --name wrong --identity mail=Email --skip-lines -1", "--skip-lines: must be from 0")
	n.run(2, "import list.csv --name wrong --identity mail=Email --comment ab", "--comment: must be one")
	n.run(2, "import list.csv --name wrong --identity mail=Email --delimiter ab", "--delimiter: must be one")
	n.run(2, "import list.csv --name wrong --identity mail=Email --date-format nonsense", "--date-format: ")
	n.run(2, "import list.csv --name wrong --identity mail=Email --skip-lines many", "--skip-lines")
	if out := n.run(0, "members given --format csv"); !strings.Contains(out, "ada@example.com,1.5,gold") || !strings.Contains(out, "cleo@example.com,3.5,,") {
		t.Errorf("the members are:\n%s", out)
	}
}

// TestOptionsStay imports the next file, whose beginning does not need the options of the audience. The options stay,
// or import reports the change.
func TestOptionsStay(t *testing.T) {
	n := newNewcomer(t)
	n.file("monday.csv", "# of Monday\nmail;points;born;tier\nada@example.com;1,5;03.05.1988;NIL\nbob@example.com;2,5;04.05.1988\n")
	n.run(0, "import monday.csv --name people --identity mail=Email --field born=date --date-format dd.MM.yyyy --null NIL --delimiter ;", "2 members")

	// The rows that need the options come after the part that import samples.
	var long strings.Builder
	long.WriteString("mail;points;born;tier\n")
	for i := range 100_000 {
		fmt.Fprintf(&long, "person%06d@example.com;%d;03.05.1988;silver-membership\n", i, i)
	}
	n.file("tuesday.csv", long.String()+"# of Tuesday\nlate@example.com;7,25;05.05.1988;NIL\nlast@example.com;1\n")
	n.run(0, "import tuesday.csv --name people --changes",
		"Read as the audience \"people\" reads its files: --delimiter \";\", --comment \"#\", --fill-short-rows, --decimal-comma, --null NIL, --date-format dd.MM.yyyy", "100,004 members", "Comment lines of tuesday.csv")
	out := n.run(0, "members people --format csv")
	for _, row := range []string{"late@example.com,7.25,1988-05-05,,", "last@example.com,1,,,", "ada@example.com,1.5,1988-05-03,,"} {
		if !strings.Contains(out, row) {
			t.Errorf("no member %s", row)
		}
	}

	// Import reports an option that the file contradicts, and keeps the others.
	n.file("wednesday.csv", "Members\n\nmail,points,born,tier\neve@example.com,\"8,5\",06.05.1988,NIL\n")
	n.run(0, "import wednesday.csv --name people --changes", "Read without --delimiter", "--skip-lines 2 (", "--decimal-comma, --null NIL, --date-format dd.MM.yyyy")
	n.run(0, "import tuesday.csv --name people --changes --dry-run", "Read without --skip-lines 2")
	n.run(0, "import wednesday.csv --name people --full --null nobody --force", "Read without --null NIL")
	if out = n.run(0, "members people --format csv"); !strings.Contains(out, "eve@example.com,8.5,1988-05-06,NIL,") {
		t.Errorf("eve is not as the flag says:\n%.300s", out)
	}
}

// TestEncodingStays imports files of other encodings into an audience with a set encoding.
func TestEncodingStays(t *testing.T) {
	n := newNewcomer(t)
	n.file("monday.csv", "mail,city\nada@example.com,Malm\xf6\n")
	n.run(0, "import monday.csv --name people --identity mail=Email --encoding windows-1252")
	var long strings.Builder
	long.WriteString("mail,city\n")
	for i := range 120_000 {
		fmt.Fprintf(&long, "person%06d@example.com,somewhere-in-a-town\n", i)
	}
	n.file("tuesday.csv", long.String()+"late@example.com,Malm\xf6\n")
	n.run(0, "import tuesday.csv --name people --changes", "--encoding windows-1252")
	n.file("wednesday.csv", "mail,city\neve@example.com,Malmö\n")
	n.run(0, "import wednesday.csv --name people --changes", "Read without --encoding windows-1252")
	n.file("thursday.csv", "mail,city\nfay@example.com,Malm\xf6\n")
	n.run(0, "import thursday.csv --name people --changes", "Detected from thursday.csv: --encoding")
	out := n.run(0, "members people --format csv")
	for _, row := range []string{"late@example.com,Malmö,", "eve@example.com,Malmö,", "fay@example.com,Malmö,"} {
		if !strings.Contains(out, row) {
			t.Errorf("no member %s", row)
		}
	}
}

// TestHeaderStays imports the next file into an audience whose files have no header.
func TestHeaderStays(t *testing.T) {
	n := newNewcomer(t)
	n.file("monday.csv", "ada@example.com^1\nbob@example.com^2\n")
	n.run(2, "import monday.csv --name people --identity mail=Email --no-header --field mail=string --field points=integer --delimiter ;")
	n.run(0, "import monday.csv --name people --identity mail=Email --no-header --field mail=string --field points=integer --delimiter ^")
	n.file("tuesday.csv", "cleo@example.com^3\n")
	n.run(0, "import tuesday.csv --name people --changes", "--no-header", "--delimiter ^", "3 members")
	n.file("wednesday.csv", "mail,points\ndan@example.com,4\n")
	n.run(0, "import wednesday.csv --name people --changes --no-header=false --delimiter ,", "Read without", "--no-header", "4 members")
	n.run(0, "import wednesday.csv --name people --changes --dry-run")
}
