package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"roster/internal/tabular"
	"roster/internal/tabular/value"
)

const (
	// parquetRows is the number of rows of a column that are read at a time. It is lower if rows are long.
	parquetRows = 1024
	// parquetText is the intended amount of text in a block of rows, maxParquetText the largest of a column.
	parquetText    = 4 << 20
	maxParquetText = 256 << 20
)

// parquetColumn is a wanted column of a row group, with its current block of values.
type parquetColumn struct {
	parquetType
	name     string // in the file
	leaf     int    // its number among the file's columns
	want     int    // the wanted column
	optional bool   // values may be null

	at     []int32 // for each row the index of its value, -1 for null
	ints   []int64 // values of booleans and of all types stored in integers
	floats []float64
	text   []byte // values of the other types
	ends   []int  // in text

	next   func(rows int) error // reads this number of rows of the row group
	gate   *pageGate
	reader file.ColumnChunkReader
	defs   []int16
	buf    []byte // a value as text
}

// close releases the column's resources of its row group.
func (c *parquetColumn) close() {
	if c.reader != nil {
		c.reader.Close()
		c.reader = nil
	}
	if c.gate != nil {
		c.gate.close()
		c.gate = nil
	}
}

// open begins a row group, in which the column has the given number.
func (c *parquetColumn) open(group *file.RowGroupReader, number int) (err error) {
	if c.reader, err = group.Column(number); err != nil {
		return err
	}
	switch r := c.reader.(type) {
	case *file.BooleanColumnChunkReader:
		c.next = values(c, r, func(v bool) error {
			n := int64(0)
			if v {
				n = 1
			}
			c.ints = append(c.ints, n)
			return nil
		})
	case *file.Int32ColumnChunkReader:
		c.next = values(c, r, func(v int32) error {
			n := int64(v)
			if c.unsigned {
				n = int64(uint32(v))
			}
			c.ints = append(c.ints, n)
			return nil
		})
	case *file.Int64ColumnChunkReader:
		c.next = values(c, r, func(v int64) error {
			c.ints = append(c.ints, v)
			return nil
		})
	case *file.Int96ColumnChunkReader:
		c.next = values(c, r, func(v parquet.Int96) error {
			c.ints = append(c.ints, microsOf(v))
			return nil
		})
	case *file.Float32ColumnChunkReader:
		c.next = values(c, r, func(v float32) error {
			c.floats = append(c.floats, float64(v))
			return nil
		})
	case *file.Float64ColumnChunkReader:
		c.next = values(c, r, func(v float64) error {
			c.floats = append(c.floats, v)
			return nil
		})
	case *file.ByteArrayColumnChunkReader:
		c.next = values(c, r, func(v parquet.ByteArray) error { return c.addBytes(v) })
	case *file.FixedLenByteArrayColumnChunkReader:
		c.next = values(c, r, func(v parquet.FixedLenByteArray) error { return c.addBytes(v) })
	default:
		return fmt.Errorf("column %q has the unknown storage %s", c.name, c.physical)
	}
	return nil
}

// pageReader reads values within one page. They are valid until the next call.
type pageReader[T any] interface {
	HasNext() bool
	Err() error
	ReadBatchInPage(n int64, values []T, defs, reps []int16) (rows int64, read int, err error)
}

// values returns a function that reads the next rows of a column and passes their values to add.
func values[T any](c *parquetColumn, r pageReader[T], add func(T) error) func(rows int) error {
	buf := make([]T, parquetRows)
	if c.defs == nil {
		c.defs = make([]int16, parquetRows)
	}
	return func(rows int) error {
		c.at, c.ints, c.floats, c.text, c.ends = c.at[:0], c.ints[:0], c.floats[:0], c.text[:0], c.ends[:0]
		values := int32(0)
		for len(c.at) < rows {
			n := rows - len(c.at)
			got, read, err := r.ReadBatchInPage(int64(n), buf[:n], c.defs[:n], nil)
			switch {
			case err != nil:
				return err
			case r.Err() != nil:
				return r.Err()
			case got <= 0 || got > int64(n) || read > n:
				return fmt.Errorf("column %q has fewer values than its row group has rows", c.name)
			}
			before := values
			for _, d := range c.defs[:got] {
				at := values
				if c.optional && d == 0 {
					at = -1
				} else {
					values++
				}
				c.at = append(c.at, at)
			}
			if int(values-before) != read || c.kind == kindNull && read > 0 {
				return fmt.Errorf("column %q has a page whose number of values differs from its header", c.name)
			}
			for _, v := range buf[:read] {
				if err := add(v); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// addBytes adds a value that is stored as bytes.
func (c *parquetColumn) addBytes(v []byte) error {
	switch c.kind {
	case kindFloat:
		if len(v) != arrow.Float16SizeBytes {
			return errors.New("a half float does not have 2 bytes")
		}
		c.floats = append(c.floats, float64(float16.FromLEBytes(v).Float32()))
		return nil
	case kindDecimal:
		if len(v) > maxDecimal {
			return fmt.Errorf("a decimal of column %q has more than %d bytes", c.name, maxDecimal)
		}
	}
	if len(v) > tabular.MaxRecord || len(c.text)+len(v) > maxParquetText {
		return tooManyBytes(c.name)
	}
	c.text = append(c.text, v...)
	c.ends = append(c.ends, len(c.text))
	return nil
}

// bytes returns a value that is stored as bytes.
func (c *parquetColumn) bytes(at int32) []byte {
	start := 0
	if at > 0 {
		start = c.ends[at-1]
	}
	return c.text[start:c.ends[at]]
}

// outOfRange is an instant after every allowed year, in any unit.
const outOfRange = math.MaxInt64

// microsOf returns the microseconds since 1970-01-01 of a 96-bit timestamp, which consists of a Julian day and
// nanoseconds.
func microsOf(v parquet.Int96) int64 {
	const epoch = 2_440_588 // the Julian day of 1970-01-01
	const most = 10_000_000 // days, far beyond the year 9999
	nanos := int64(binary.LittleEndian.Uint64(v[:8]))
	days := int64(int32(binary.LittleEndian.Uint32(v[8:]))) - epoch
	if days < -most || days > most {
		return outOfRange
	}
	return days*value.MicrosPerDay + floorDiv(nanos, int64(time.Microsecond))
}

// floorDiv divides and rounds down.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
