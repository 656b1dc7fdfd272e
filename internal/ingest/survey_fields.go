package ingest

import (
	"fmt"
	"slices"

	"roster/internal/audience"
	"roster/internal/survey"
	"roster/internal/tabular"
)

// names is a set of column names, by their keys.
type names map[string]bool

func (n names) add(list ...string) {
	for _, name := range list {
		n[audience.NameKey(name)] = true
	}
}

// columnNames are the columns of a file that no field can take, and the fields without a column in the file.
type columnNames struct{ nested, missing names }

// compareColumns finds the fields without a column in the file, and the columns without a field.
func compareColumns(f *survey.File, fields []audience.Field, found tabular.Inferred) columnNames {
	c := columnNames{nested: names{}, missing: names{}}
	c.nested.add(found.Nested...)
	if !found.Named() {
		return c
	}
	wanted := (&audience.Audience{Fields: fields}).FieldIndex()
	have := names{}
	have.add(found.Nested...)
	for _, name := range slices.Concat(namesOf(found.Columns), found.Unnamed) {
		have.add(name)
		if _, ok := wanted[audience.NameKey(name)]; !ok {
			f.Extra = append(f.Extra, name)
		}
	}
	for _, w := range fields {
		if !have[audience.NameKey(w.Name)] {
			f.Missing = append(f.Missing, w.Name)
		}
	}
	c.missing.add(f.Missing...)
	if len(f.Missing) == len(fields) {
		f.Extra = nil
	}
	return c
}

func namesOf(columns []tabular.Column) []string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = c.Name
	}
	return list
}

// checkFields reports the given fields without a column in any inspected file, and the fields whose column has no
// single values.
func (v *surveying) checkFields() {
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

// columnOf searches for the column of a field. nested is the first file in which the column has no single values, or
// "". missing is true if files were inspected and none has the column.
func (v *surveying) columnOf(field audience.Field) (nested string, missing bool) {
	key, found := audience.NameKey(field.Name), false
	for i, f := range v.out.Files[:v.looked] {
		if f.Format == nil {
			continue
		}
		if v.columns[i].nested[key] {
			return f.Path, false
		}
		missing = true
		found = found || !v.columns[i].missing[key]
	}
	return "", missing && !found
}

// fileProblems reports the files that cannot be read.
func (v *surveying) fileProblems() {
	for _, f := range v.out.Files {
		if f.Error != "" {
			v.problem("sourceSpec.path", "%s", f.Error)
		}
	}
}

func (v *surveying) problem(path, format string, args ...any) {
	v.out.Problems = append(v.out.Problems, audience.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}
