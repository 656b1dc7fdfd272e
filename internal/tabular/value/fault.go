package value

import (
	"strings"

	"roster/internal/audience"
	"roster/internal/tabular"
)

// Faults are the values of a block that do not fit.
type Faults struct {
	Want int // index of the wanted column that is parsed
	List []Fault
	Bad  []bool // by row
}

type Fault struct {
	Row, Want int
	Code      string
	Reason    string // "" if the code and the column's type explain it
}

// Add records a fault of the current column, unless the row has one in an earlier column.
func (f *Faults) Add(row int, code string) { f.Refuse(row, code, "") }

// Refuse is Add with a reason.
func (f *Faults) Refuse(row int, code, reason string) {
	if !f.Bad[row] {
		f.Bad[row] = true
		f.List = append(f.List, Fault{row, f.Want, code, reason})
	}
}

// ReasonIn explains which rule a value of a format breaks.
func ReasonIn(f audience.Format, code string, t audience.Type) string {
	switch {
	case code == tabular.CodeEncoding && f.Encoding != "":
		return "the value is not valid " + strings.ToUpper(f.Encoding)
	case code == tabular.CodeType && len(f.DateFormats) > 0 && (t == audience.Date || t == audience.DateTime):
		return ReasonOf(code, t) + ", nor is it written in one of the format's dateFormats"
	}
	return ReasonOf(code, t)
}

// ReasonOf explains which rule of every format a value breaks.
func ReasonOf(code string, t audience.Type) string {
	switch code {
	case tabular.CodeIdentity:
		return "the primary identity is empty"
	case tabular.CodeEncoding:
		return "the value is not valid UTF-8"
	case tabular.CodeProposed:
		return lossOf(t) + ", which the type " + string(t) + " would drop; the type was proposed from other rows, not declared: declare the field as string, or as " +
			string(t) + " to drop them"
	case tabular.CodeRange:
		return "the value is out of range for " + Rule(t)
	}
	return "the value is not " + Rule(t)
}

// Rule describes the form of a type's values.
func Rule(t audience.Type) string {
	switch t {
	case audience.Integer:
		return "a whole number of 32 bits"
	case audience.Long:
		return "a whole number of 64 bits"
	case audience.Number:
		return "a decimal number"
	case audience.Boolean:
		return "true/false, 1/0, yes/no, t/f or y/n"
	case audience.Date:
		return "a date such as 2025-05-13"
	case audience.DateTime:
		return "a date and time such as 2025-05-23T20:19:00+00:00"
	}
	return "text"
}

// lossOf describes what a proposed type would not keep of a value.
func lossOf(t audience.Type) string {
	switch t {
	case audience.Number:
		return "the value has leading zeros, a plus sign or more digits than a double"
	case audience.DateTime:
		return "the value has digits below microseconds"
	}
	return "the value has leading zeros or a plus sign"
}
