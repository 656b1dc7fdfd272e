package ingest

import (
	"fmt"
	"slices"

	"roster/internal/audience"
	"roster/internal/tabular"
)

// propose takes the columns of one file into the proposed fields.
func (v *survey) propose(columns []tabular.Column) {
	a := audience.Audience{Fields: v.out.Fields}
	for _, c := range columns {
		f := c.Field()
		if f.IdentityNs = audience.ProposeNamespace(c.Name); f.IdentityNs != "" {
			f.Type = audience.String // an id of digits keeps its leading zeros
		}
		if i := a.FieldNamed(c.Name); i < 0 {
			a.Fields = append(a.Fields, f)
		} else if a.Fields[i].Type != f.Type {
			a.Fields[i].Type = audience.String
		}
	}
	v.out.Fields = a.Fields
}

// compare says which fields the file has no column for, and which columns no field names.
func (f *SurveyedFile) compare(fields []audience.Field, found tabular.Inferred) {
	if !named(found) {
		return
	}
	wanted, have := audience.Audience{Fields: fields}, audience.Audience{}
	for _, c := range found.Columns {
		have.Fields = append(have.Fields, c.Field())
		if wanted.FieldNamed(c.Name) < 0 {
			f.Extra = append(f.Extra, c.Name)
		}
	}
	for _, name := range found.Unnamed {
		have.Fields = append(have.Fields, audience.Field{Name: name})
		if wanted.FieldNamed(name) < 0 {
			f.Extra = append(f.Extra, name)
		}
	}
	for _, name := range found.Nested {
		have.Fields = append(have.Fields, audience.Field{Name: name})
	}
	for _, w := range fields {
		if have.FieldNamed(w.Name) < 0 {
			f.Missing = append(f.Missing, w.Name)
		}
	}
	if len(f.Missing) == len(fields) {
		f.Extra = nil
	}
}

// named reports whether a file says the names of its columns. JSON without rows says none.
func named(f tabular.Inferred) bool {
	switch f.Format.Type {
	case audience.CSV:
		return f.Format.HasHeader()
	case audience.JSON:
		return f.Rows > 0
	}
	return true
}

// checkFields says which of the given fields no file that was looked at has a column for, and which ones name a column
// without single values.
func (v *survey) checkFields() {
	for i, w := range v.Fields {
		path := fmt.Sprintf("fields[%d].name", i)
		switch nested, missing := v.columnOf(w); {
		case nested != "":
			v.problem(path, "the column %q of %s holds objects or lists, which no field can take; write it as columns of single values, or leave the field out", w.Name, nested)
		case missing:
			v.problem(path, "no file that was looked at has a column %q; correct the name, or leave the field out", w.Name)
		}
	}
}

// columnOf looks for the column of a field: nested is the first file in which it has no single values, "" when there is
// none, and missing says that files were looked at and none has it.
func (v *survey) columnOf(field audience.Field) (nested string, missing bool) {
	wanted := audience.Audience{Fields: []audience.Field{field}}
	is := func(name string) bool { return wanted.FieldNamed(name) == 0 }
	found := false
	for _, f := range v.out.Files {
		if f.Format == nil {
			continue
		}
		if slices.ContainsFunc(f.Nested, is) {
			return f.Path, false
		}
		missing = true
		found = found || !slices.ContainsFunc(f.Missing, is)
	}
	return "", missing && !found
}

// fileProblems says which files cannot be read.
func (v *survey) fileProblems() {
	for _, f := range v.out.Files {
		if f.Error != "" {
			v.problem(v.Spec.At("path"), "%s", f.Error)
		}
	}
}

func (v *survey) problem(path, format string, args ...any) {
	v.out.Problems = append(v.out.Problems, audience.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}
