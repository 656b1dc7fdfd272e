package csv

import (
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
	"roster/internal/tabular/tabulartest"
)

// TestLayoutOptions reads files with titles, comments and short rows.
func TestLayoutOptions(t *testing.T) {
	t.Parallel()
	no := false
	for name, c := range map[string]struct {
		file   string
		format audience.Format
		want   string
	}{
		"titles":            {"May\n\"x\n\na,b\n1,2\n", audience.Format{SkipLines: 3}, "5: \"1\" \"2\"\n"},
		"titles, crlf":      {"\ufeffMay\r\n\r\na,b\r\n1,2\r\n", audience.Format{SkipLines: 2}, "4: \"1\" \"2\"\n"},
		"titles, cr":        {"May\r\ra,b\r1,2\r", audience.Format{SkipLines: 2}, "4: \"1\" \"2\"\n"},
		"titles, no header": {"May,31\n1,2\n", audience.Format{SkipLines: 1, Header: &no}, "2: \"1\" \"2\"\n"},
		"titles behind sep": {"sep=;\nMay\na;b\n1;2\n", audience.Format{SkipLines: 1}, "4: \"1\" \"2\"\n"},
		"comments":          {"# \"x\n#\na,b\n# \",\"\n1,2\n\"3\n#4\",#5\n#\n6,\"#7\"\n#", audience.Format{Comment: "#"}, "5: \"1\" \"2\"\n6: \"3\\n#4\" \"#5\"\n9: \"6\" \"#7\"\n"},
		"comments, cr":      {"#x\ra,b\r# \",\r1,2\r", audience.Format{Comment: "#"}, "4: \"1\" \"2\"\n"},
		"no comments":       {"a,b\n#1,2\n", audience.Format{}, "2: \"#1\" \"2\"\n"},
		"short rows":        {"a,b\n1\n2,3\n\n\"4\"\n5,6,7\n\"8\"x\n", audience.Format{FillShortRows: true}, "2: \"1\" (null)\n3: \"2\" \"3\"\n5: \"4\" (null)\n6+1@15: COLUMN_COUNT \n7+1@21: QUOTE \n"},
	} {
		got := readAs(t, c.file, tabulartest.Text("a", "b"), c.format)
		if got.Shown() != c.want {
			t.Errorf("%s: %s%s, want %s", name, got.Message, got.Shown(), c.want)
		}
		if want := int64(strings.Count(c.file, "#") - strings.Count(c.file, "#4") - strings.Count(c.file, "#5") - strings.Count(c.file, "#7")); c.format.Comment != "" && got.Header.Comments != want {
			t.Errorf("%s: %d comments, want %d", name, got.Header.Comments, want)
		}
	}
	for _, lines := range []int{4, 1000} {
		if got := readAs(t, "May\na,b\n1,2\n", tabulartest.Text("a", "b"), audience.Format{SkipLines: lines}); got.Err != "NO_HEADER" || !strings.Contains(got.Message, "skipLines") {
			t.Errorf("%+v", got)
		}
	}
	if got := readAs(t, strings.Repeat("x", input.WindowSize)+"\na,b\n1,2\n", tabulartest.Text("a", "b"), audience.Format{SkipLines: 1}); got.Err != "FORMAT" {
		t.Errorf("%+v", got)
	}
}

// TestDecimalComma reads numbers with decimal commas, and refuses what is none.
func TestDecimalComma(t *testing.T) {
	t.Parallel()
	columns := []tabular.Column{{Name: "n", Type: audience.Number}, {Name: "l", Type: audience.Long}, {Name: "i", Type: audience.Integer}}
	format := audience.Format{DecimalComma: true}
	for value, want := range map[string]string{
		"12,5": "12.5", "1.234,56": "1234.56", "-1.234.567,8": "-1.234567", "1'234,5": "1234.5", "1 234,5": "1234.5", "1\u00a0234": "1234", "0,5": "0.5", ",5": "0.5", "5,": "5",
		"1.234": "1234", "12": "12", "1,5E3": "1500", " 7,5 ": "7.5", "": "(null)",
	} {
		got := readAs(t, "n;l;i\n"+value+";1;1\n", columns, format)
		if len(got.Rejects) > 0 || !strings.Contains(got.Shown(), strings.TrimSuffix(want, "567")) {
			t.Errorf("%q: %s", value, got.Shown())
		}
	}
	for _, value := range []string{"12.5", "1,234.5", "1.23,4", "0.123", "1.2345", "1234.567", "1.234 567", "1,2,3", ",", "-", "1.", "x", "12,5 €", ".5", "1.234'567"} {
		if got := readAs(t, "n;l;i\n"+value+";1;1\n", columns, format); len(got.Rejects) != 1 || got.Rejects[0].Code != tabular.CodeType {
			t.Errorf("%q: %s", value, got.Shown())
		}
	}
	if got := readAs(t, "n;l;i\n1;1.234;2.345\n1;;\n1;1,5;1\n1;1;3.000.000.000\n", columns, format); got.Shown() != "2: 1 1234 2345\n3: 1 (null) (null)\n4+1@24: TYPE l\n5+1@32: RANGE i\n" {
		t.Error(got.Shown())
	}
	proposed := []tabular.Column{{Name: "n", Type: audience.Number, Proposed: true}}
	if got := readAs(t, "n\n01,5\n", proposed, audience.Format{DecimalComma: true, Delimiter: ";"}); len(got.Rejects) != 1 || got.Rejects[0].Code != tabular.CodeProposed {
		t.Error(got.Shown())
	}
}
