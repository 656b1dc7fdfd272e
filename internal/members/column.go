package members

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Kind says by which method a Column answers its values.
type Kind uint8

// The kinds of values.
const (
	Text    Kind = iota // Column.Text
	Number              // Column.Number
	Whole               // Column.Whole
	Day                 // Column.Whole, in days since 1970-01-01
	Instant             // Column.Whole, in microseconds since 1970-01-01 UTC
	Boolean             // Column.Is
)

// Column is the values that a field has in the rows of a batch.
type Column struct {
	Kind     Kind
	values   arrow.Array
	texts    *array.String
	numbers  []float64
	longs    []int64
	ints     []int32
	days     []arrow.Date32
	instants []arrow.Timestamp
	booleans *array.Boolean
}

// Null reports whether a row has no value.
func (c *Column) Null(row int) bool { return c.values.IsNull(row) }

// Text is the value of a row of a Text column.
func (c *Column) Text(row int) string { return c.texts.Value(row) }

// Number is the value of a row of a Number column.
func (c *Column) Number(row int) float64 { return c.numbers[row] }

// Is is the value of a row of a Boolean column.
func (c *Column) Is(row int) bool { return c.booleans.Value(row) }

// Whole is the value of a row of a Whole, Day or Instant column.
func (c *Column) Whole(row int) int64 {
	switch {
	case c.longs != nil:
		return c.longs[row]
	case c.ints != nil:
		return int64(c.ints[row])
	case c.days != nil:
		return int64(c.days[row])
	}
	return int64(c.instants[row])
}

// ColumnsOf returns the columns of Arrow arrays, which have the types of an audience's fields.
func ColumnsOf(arrays []arrow.Array) []Column { return appendColumns(nil, arrays) }

func appendColumns(dst []Column, arrays []arrow.Array) []Column {
	for _, values := range arrays {
		c := Column{values: values}
		switch a := values.(type) {
		case *array.String:
			c.Kind, c.texts = Text, a
		case *array.Float64:
			c.Kind, c.numbers = Number, a.Float64Values()
		case *array.Int64:
			c.Kind, c.longs = Whole, a.Int64Values()
		case *array.Int32:
			c.Kind, c.ints = Whole, a.Int32Values()
		case *array.Date32:
			c.Kind, c.days = Day, a.Date32Values()
		case *array.Timestamp:
			c.Kind, c.instants = Instant, a.TimestampValues()
		case *array.Boolean:
			c.Kind, c.booleans = Boolean, a
		default:
			panic(fmt.Errorf("no field has the type %s", values.DataType()))
		}
		dst = append(dst, c)
	}
	return dst
}
