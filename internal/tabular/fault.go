package tabular

import (
	"strings"

	"roster/internal/audience"
)

// faults are the values of a block that do not fit.
type faults struct {
	want int // the wanted column that is parsed
	list []fault
	bad  []bool // by row
}

type fault struct {
	row, want int
	code      string
	reason    string // "" when the code and the column's type say it
}

// add records a fault of the column that is parsed, unless the row has one in an earlier column.
func (f *faults) add(row int, code string) { f.refuse(row, code, "") }

// refuse is add with a reason.
func (f *faults) refuse(row int, code, reason string) {
	if !f.bad[row] {
		f.bad[row] = true
		f.list = append(f.list, fault{row, f.want, code, reason})
	}
}

// reasonIn says which rule a value of a format breaks.
func reasonIn(f audience.Format, code string, t audience.Type) string {
	switch {
	case code == CodeEncoding && f.Encoding != "":
		return "the value is not valid " + strings.ToUpper(f.Encoding)
	case code == CodeType && len(f.DateFormats) > 0 && (t == audience.Date || t == audience.DateTime):
		return reasonOf(code, t) + ", nor is it written in one of the format's dateFormats"
	}
	return reasonOf(code, t)
}

// reasonOf says which rule of every format a value breaks.
func reasonOf(code string, t audience.Type) string {
	switch code {
	case CodeIdentity:
		return "the primary identity is empty"
	case CodeEncoding:
		return "the value is not valid UTF-8"
	case CodeProposed:
		return lossOf(t) + ", which the type " + string(t) + " would drop; the type was proposed from other rows and not declared: declare the field as string, or as " +
			string(t) + " to have them dropped"
	case CodeRange:
		return "the value is out of range for " + rule(t)
	}
	return "the value is not " + rule(t)
}

// rule says what a value of a type looks like.
func rule(t audience.Type) string {
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

// lossOf says what a value has that a proposed type does not keep.
func lossOf(t audience.Type) string {
	switch t {
	case audience.Number:
		return "the value has leading zeros, a plus sign or more digits than a double"
	case audience.DateTime:
		return "the value has digits below microseconds"
	}
	return "the value has leading zeros or a plus sign"
}
