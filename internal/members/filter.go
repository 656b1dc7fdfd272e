package members

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"roster/internal/audience"
	"roster/internal/identity"
)

// Filter selects the members whose value of a field compares with the filter's as Comparator says.
type Filter struct {
	Field      string // name, ignoring case
	Comparator audience.Comparator
	Value      string
	Quoted     bool // Value is meant as it is, also when it is null
}

// absentValue is the value of filters on members without a value.
const absentValue = "null"

// test is a filter whose value has the type of its field.
type test struct {
	field      audience.Field
	comparator audience.Comparator
	absent     bool    // the filter's value is null
	text       []byte  // of a string; the normal form of an identity
	number     float64 // of a number
	whole      int64   // of a long, an integer, a date (days since 1970) or a datetime (epoch microseconds)
	is         bool    // of a boolean
}

// Tests must all hold; nil for all members.
type Tests []test

// NewTests checks filters against the fields that the actor sees: what is hidden is unknown. Errors name the field
// and never the value, which may be a person's.
func NewTests(aud *audience.Audience, filters []Filter) (Tests, error) {
	var wrong audience.Problems
	var tests Tests
	index := aud.FieldIndex()
	for _, f := range filters {
		n, known := index[audience.NameKey(f.Field)]
		if !known {
			names := make([]string, len(aud.Fields))
			for i := range aud.Fields {
				names[i] = aud.Fields[i].Name
			}
			wrong.Add("filter", "the audience has no field %.64q; the nearest is %s", f.Field, quotedNames(audience.Nearest(f.Field, names)))
			continue
		}
		t := test{field: aud.Fields[n], comparator: f.Comparator}
		if problem := t.want(f); problem != "" {
			wrong.Add("filter", "%.64q: %s", t.field.Name, problem)
		}
		tests = append(tests, t)
	}
	return tests, wrong.Err()
}

// quotedNames are names as a message has them.
func quotedNames(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%.64q", name)
	}
	return strings.Join(quoted, ", ")
}

// want takes the value of a filter; it returns what is wrong with the filter, "" for nothing.
func (t *test) want(f Filter) string {
	equals := t.comparator == audience.Equal || t.comparator == audience.NotEqual
	contains := t.comparator == audience.Contains || t.comparator == audience.ContainsNot
	var err error
	switch {
	case f.Value == absentValue && !f.Quoted:
		if t.absent = true; !equals {
			return `null takes == and !=; the text is "null", in quotation marks`
		}
	case t.field.IdentityNs != "":
		if t.text = identity.Normalise(t.field.IdentityNs, []byte(f.Value), nil); len(t.text) == 0 {
			return "the value is no identity; null stands for none"
		}
		if !equals && !contains {
			return "an identity takes ==, !=, =contains and !=contains"
		}
	case t.field.Type == audience.String:
		t.text = []byte(f.Value)
	case contains:
		return fmt.Sprintf("a field of the type %s takes ==, !=, >=, <=, > and <", t.field.Type)
	case t.field.Type == audience.Boolean:
		if t.is = strings.EqualFold(f.Value, "true"); !t.is && !strings.EqualFold(f.Value, "false") || !equals {
			return "a boolean takes == and != with true or false"
		}
	case t.field.Type == audience.Number:
		if t.number, err = strconv.ParseFloat(f.Value, 64); err != nil || math.IsNaN(t.number) || math.IsInf(t.number, 0) {
			return "the value must be a number"
		}
	case t.field.Type == audience.Date:
		at, err := time.Parse(time.DateOnly, f.Value)
		if t.whole = at.Unix() / (24 * 60 * 60); err != nil {
			return "the value must be a date such as 2025-05-13"
		}
	case t.field.Type == audience.DateTime:
		at, err := time.Parse(time.RFC3339Nano, f.Value)
		if t.whole = at.UnixMicro(); err != nil || at.Nanosecond()%1000 != 0 {
			return "the value must be a time such as 2025-05-23T20:19:00Z or 2025-05-23T20:19:00.000001+02:00; in a URL + is %2B"
		}
	default:
		if t.whole, err = strconv.ParseInt(f.Value, 10, 64); err != nil {
			return "the value must be a whole number of 64 bits"
		}
	}
	return ""
}

// columns are the names of the fields that the tests are of, each once.
func (l Tests) columns() (names []string) {
	seen := map[string]bool{}
	for _, t := range l {
		if !seen[t.field.Name] {
			seen[t.field.Name] = true
			names = append(names, t.field.Name)
		}
	}
	return names
}

// of returns whether a row of a batch, which has the columns, passes all tests.
func (l Tests) of(rec arrow.RecordBatch) func(row int) bool {
	tests := make([]func(row int) bool, len(l))
	for i := range l {
		tests[i] = l[i].of(rec.Column(rec.Schema().FieldIndices(l[i].field.Name)[0]))
	}
	return func(row int) bool {
		for _, passes := range tests {
			if !passes(row) {
				return false
			}
		}
		return true
	}
}

// of returns whether a row of the field's column passes the test. What is absent differs from everything.
func (t *test) of(column arrow.Array) func(row int) bool {
	if t.absent {
		want := t.comparator == audience.Equal
		return func(row int) bool { return column.IsNull(row) == want }
	}
	passes, absent := t.compare(column), t.comparator.Negates()
	return func(row int) bool {
		if column.IsNull(row) {
			return absent
		}
		return passes(row)
	}
}

func (t *test) compare(column arrow.Array) func(row int) bool {
	switch c := column.(type) {
	case *array.String:
		if t.field.IdentityNs != "" {
			return t.compareIdentity(c)
		}
		return t.compareText(func(row int) []byte { return []byte(c.Value(row)) })
	case *array.Float64:
		return ordered(t.comparator, c.Float64Values(), t.number)
	case *array.Int64:
		return ordered(t.comparator, c.Int64Values(), t.whole)
	case *array.Int32:
		return func(row int) bool { return t.comparator.Holds(cmp.Compare(int64(c.Value(row)), t.whole)) }
	case *array.Date32:
		return func(row int) bool { return t.comparator.Holds(cmp.Compare(int64(c.Value(row)), t.whole)) }
	case *array.Timestamp:
		return ordered(t.comparator, c.TimestampValues(), arrow.Timestamp(t.whole))
	case *array.Boolean:
		return func(row int) bool { return (c.Value(row) == t.is) == (t.comparator == audience.Equal) }
	}
	panic(fmt.Errorf("a column of the type %s cannot be compared", column.DataType()))
}

// compareIdentity compares normal forms.
func (t *test) compareIdentity(c *array.String) func(row int) bool {
	var normal []byte
	return t.compareText(func(row int) []byte {
		normal = identity.Normalise(t.field.IdentityNs, []byte(c.Value(row)), normal[:0])
		return normal
	})
}

func (t *test) compareText(value func(row int) []byte) func(row int) bool {
	switch t.comparator {
	case audience.Contains:
		return func(row int) bool { return bytes.Contains(value(row), t.text) }
	case audience.ContainsNot:
		return func(row int) bool { return !bytes.Contains(value(row), t.text) }
	}
	return func(row int) bool { return t.comparator.Holds(bytes.Compare(value(row), t.text)) }
}

func ordered[T cmp.Ordered](c audience.Comparator, values []T, want T) func(row int) bool {
	return func(row int) bool { return c.Holds(cmp.Compare(values[row], want)) }
}
