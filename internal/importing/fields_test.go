package importing

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"roster/internal/audience"
)

// TestFields makes fields of a file's columns and a request.
func TestFields(t *testing.T) {
	t.Parallel()
	const list = "id,mail,born,gone,id2\n007,ada@example.com,1815-12-10,0,9\n008,bob@example.com,1900-01-01,1,8\n"
	no := false
	for _, c := range []struct {
		name   string
		text   string
		change func(r *Request)
		want   []string
		err    string // part of the error; "" when there is none
	}{
		{"identities come first and are texts", list, func(r *Request) { r.Identities = []Identity{{"mail", "Email"}, {"ID", "CRMID"}} },
			[]string{"mail string Email", "id string CRMID", "born date", "gone boolean", "id2 string"}, ""},
		{"a type that is given stays", list, func(r *Request) {
			r.Identities = []Identity{{"id2", "CRMID"}}
			r.Types = []ColumnType{{"id2", audience.Long}, {"born", audience.String}}
		}, []string{"id2 long CRMID", "id string", "mail string", "born string", "gone boolean"}, ""},
		{"delete column", list, func(r *Request) { r.DeleteColumn = "GONE" }, []string{"mail string email", "id string", "born date", "gone boolean delete", "id2 string"}, ""},
		{"some columns", list, func(r *Request) { r.Columns = []string{"mail", " born"} }, []string{"mail string email", "born date"}, ""},
		{"no such column", list, func(r *Request) { r.Columns = []string{"mail", "tier"} }, nil, "<columns> tier: there is no such column; the columns are id, mail, born, gone, id2"},
		{"no such identity", list, func(r *Request) { r.Identities[0].Column = "e-mail" }, nil, "<identities> e-mail: there is no such column"},
		{"no such typed column", list, func(r *Request) { r.Types = []ColumnType{{"age", audience.Long}} }, nil, "<types> age: there is no such column"},
		{"no such delete column", list, func(r *Request) { r.DeleteColumn = "left" }, nil, "<deleteColumn> left: there is no such column"},
		{"an identity twice", list, func(r *Request) { r.Identities = append(r.Identities, Identity{"MAIL", "Phone"}) }, nil, "the column was named before, with the namespace email"},
		{"a column of the header twice", "mail,x,mail\na@example.com,1,b@example.com\n", nil, nil, `the header names column "mail" twice (columns 1 and 3)`},
		{"the header stands further down", "Report of May\n\n\nx,y\nmail,points\na@example.com,1\n", func(r *Request) { r.Format.SkipLines, r.Given = 3, []string{"skipLines"} }, nil, "line 5 of list.csv names it: use <skipLines 4>"},
		{"without a header", "ada@example.com,7\nbob@example.com,8\n", func(r *Request) {
			r.Format.Header, r.Given = &no, []string{"header"}
			r.Types = []ColumnType{{"mail", audience.String}, {"points", audience.Long}}
		}, []string{"mail string email", "points long"}, ""},
		{"without a header, in another order", "7,ada@example.com\n8,bob@example.com\n", func(r *Request) {
			r.Format.Header, r.Given = &no, []string{"header"}
			r.Identities = []Identity{{"column2", "Email"}, {"column1", "CRMID"}}
		}, nil, "with <header false> the first identity in the order of the columns makes a member, which is column1; give <identities> column1=CRMID first"},
		{"picked without a header", "7,ada@example.com\n", func(r *Request) {
			r.Format.Header, r.Given = &no, []string{"header"}
			r.Columns = []string{"column2"}
		}, nil, "<columns> needs a header"},
		{"people in the place of the header", "ada@example.com,7\nbob@example.com,8\n", nil, nil, "header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := byMail()
			if c.change != nil {
				c.change(&r)
			}
			im := New(t.Context(), r, file(c.text), &someone{})
			switch err := im.Creatable(t.Context()); {
			case c.err == "" && err != nil, c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Errorf("got the error %v, want %q", err, c.err)
			case err == nil && !slices.Equal(fieldTexts(im.Result.Fields), c.want):
				t.Errorf("got %q, want %q", fieldTexts(im.Result.Fields), c.want)
			}
		})
	}
}

// TestNobodyIdentified asks for the identity, and names the columns.
func TestNobodyIdentified(t *testing.T) {
	t.Parallel()
	err := New(t.Context(), Request{Name: "people"}, file("mail,points\na@example.com,1\n"), &someone{}).Creatable(t.Context())
	if usage := (*UsageError)(nil); !errors.As(err, &usage) || !strings.Contains(err.Error(), "<identities> is missing") || !strings.Contains(err.Error(), "the columns are mail, points") {
		t.Error(err)
	}
}

// TestSurvey finds out how a file is written and what its columns may be, as far as the person does not say so.
func TestSurvey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		given      []string
		format     audience.Format
		told       []string // what is told, in parts
		note       string   // of the column points; "-" when its type is not text
	}{
		{"a usual file", people(2, "gold,q@example.com,3"), nil, audience.Format{}, nil, "-"},
		{"decimal commas", "mail;points\na@example.com;1,5\nb@example.com;2,25\n", nil, audience.Format{}, []string{"<decimalComma true> (numbers are written as 1.234,56)"}, "-"},
		{"no decimal commas", "mail;points\na@example.com;1,5\nb@example.com;2,25\n", []string{"decimalComma"}, audience.Format{},
			[]string{"points is text that looks like numbers: <decimalComma true> reads them as numbers"}, ""},
		{"dates", "mail,points\na@example.com,01/02/2020\nb@example.com,03/04/2020\n", nil, audience.Format{},
			[]string{`points is text that looks like dates: <dateFormats> "dd/MM/yyyy" reads them as dates, or <dateFormats> "MM/dd/yyyy" if the month comes first`}, ""},
		{"dates with the day first", "mail,points\na@example.com,31/02/2020\nb@example.com,31/01/2020\nc@example.com,13/04/2020\n", []string{"dateFormats"},
			audience.Format{DateFormats: []string{"dd/MM/yyyy"}}, nil, ""},
		{"lines before the header", "Report of May\n\nmail,points\na@example.com,1\n", nil, audience.Format{}, []string{"<skipLines 2> (the header follows these lines)"}, "-"},
		{"comments", "mail,points\n# people of May\na@example.com,1\nb@example.com,2\n", nil, audience.Format{}, []string{"<comment #> (lines that begin with it are comments)"}, "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, p := byMail(), &someone{}
			r.Format, r.Given, r.DryRun = c.format, c.given, true
			im := New(t.Context(), r, file(c.text), p)
			if err := im.Into(t.Context(), newServer(), false); err != nil && !errors.As(err, new(*RunError)) {
				t.Fatal(err)
			}
			if len(p.told) != len(c.told) {
				t.Errorf("told %q", p.told)
			}
			for i, want := range c.told {
				if i < len(p.told) && !strings.Contains(p.told[i], want) {
					t.Errorf("told %q, want %q", p.told[i], want)
				}
			}
			at := fieldNamed(im.Result.Fields, "points")
			if text := im.Result.Fields[at].Type == string(audience.String); text != (c.note != "-") {
				t.Errorf("points is %s", im.Result.Fields[at].Type)
			}
		})
	}
}

// TestWiden reads the rows behind the sample by the types that were found in it.
func TestWiden(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, last string
		rows       int
		take       bool
		want, to   string
	}{
		{"all fit", "gold,q@example.com,7", 10_100, true, "long", ""},
		{"a fraction", "gold,q@example.com,7.5", 10_100, true, "number", "number"},
		{"a word", "gold,q@example.com,many", 10_100, true, "string", "string"},
		{"refused", "gold,q@example.com,many", 10_100, false, "long", ""},
		{"in the sample", "gold,q@example.com,many", 100, true, "string", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, p := byMail(), &someone{wider: c.take}
			r.DryRun = true
			im := New(t.Context(), r, file(people(c.rows, c.last)), p)
			if err := im.Into(t.Context(), newServer(), false); err != nil {
				t.Fatal(err)
			}
			got := im.Result.Fields[fieldNamed(im.Result.Fields, "points")].Type
			if got != c.want {
				t.Errorf("points is %s, want %s; asked %q", got, c.want, p.asked)
			}
			if c.to == "" != (len(im.Result.Widened) == 0) || c.to != "" && (im.Result.Widened[0].To != c.to || im.Result.Widened[0].Line != int64(c.rows+2)) {
				t.Errorf("widened %+v, want %s", im.Result.Widened, c.to)
			}
		})
	}
}
