package formats

import (
	"reflect"
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/tabular"
)

func TestMergeColumns(t *testing.T) {
	t.Parallel()
	var m Merge
	m.AddColumns([]tabular.Column{{Name: "email", Type: audience.String}, {Name: "age", Type: audience.Integer}, {Name: "deleted", Type: audience.Boolean}, {Name: "city", Type: audience.String}})
	m.AddColumns([]tabular.Column{{Name: "AGE", Type: audience.Number}, {Name: "deleted", Type: audience.String}, {Name: "since", Type: audience.Date}})
	want := []audience.Field{
		{Name: "email", Type: audience.String, IdentityNs: "Email"},
		{Name: "age", Type: audience.String}, // of two types
		{Name: "deleted", Type: audience.String},
		{Name: "city", Type: audience.String},
		{Name: "since", Type: audience.Date, Proposed: true},
	}
	if !reflect.DeepEqual(m.Fields, want) {
		t.Errorf("%+v", m.Fields)
	}
}

func TestMergeFormats(t *testing.T) {
	t.Parallel()
	latin := audience.Format{Encoding: "windows-1252"}
	for name, c := range map[string]struct {
		files     []tabular.Proposal
		want      audience.Format
		conflicts []string
	}{
		"none":                     {nil, audience.Format{}, nil},
		"one encoding":             {[]tabular.Proposal{{Format: latin}, {}}, latin, nil},
		"an encoding and UTF-8":    {[]tabular.Proposal{{Format: latin}, {UTF8: true}}, audience.Format{}, []string{"some files look like windows-1252, but b.csv is UTF-8"}},
		"two encodings":            {[]tabular.Proposal{{Format: latin}, {Format: audience.Format{Encoding: "shift_jis"}}}, latin, []string{"such as b.csv, which looks like shift_jis, while others look like windows-1252"}},
		"the same lines":           {[]tabular.Proposal{{Format: audience.Format{SkipLines: 2}}, {Format: audience.Format{SkipLines: 2}}}, audience.Format{SkipLines: 2}, nil},
		"lines in the second file": {[]tabular.Proposal{{}, {Format: audience.Format{SkipLines: 2, Comment: "#"}}}, audience.Format{Comment: "#"}, nil},
	} {
		var m Merge
		for i, p := range c.files {
			m.AddProposal(string(rune('a'+i))+".csv", p)
		}
		got, conflicts := m.Format()
		if !reflect.DeepEqual(got, c.want) || len(conflicts) != len(c.conflicts) {
			t.Errorf("%s: %+v, %q", name, got, conflicts)
		}
		for i, text := range c.conflicts {
			if !strings.Contains(conflicts[i], text) {
				t.Errorf("%s: %q", name, conflicts)
			}
		}
	}
}
