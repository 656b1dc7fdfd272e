package parquet

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/value"
)

// appendTo appends the values of the block to the builder of the wanted column: unchanged if the types correspond, and
// otherwise as the text that they would have in a CSV file. Values that do not fit are faults.
func (c *parquetColumn) appendTo(b *value.Builder, column tabular.Column, nulls []string, bad *value.Faults) {
	if len(nulls) > 0 {
		for row, at := range c.at {
			if at >= 0 && value.IsOneOf(c.textOf(at), nulls) {
				c.at[row] = -1
			}
		}
	}
	if set := c.setter(b); set != nil {
		first := b.Rows
		b.Extend(len(c.at))
		for row, at := range c.at {
			if at < 0 {
				b.Null(first + row)
			} else if code := set(first+row, at); code != "" {
				bad.Add(row, code)
			}
		}
	} else {
		c.appendTexts(b, bad)
	}
	if value.IsIdentity(&column) {
		c.addIdentities(&column, bad)
	}
}

// setter returns a function that sets a row to a value without using its text, nil if that is impossible.
func (c *parquetColumn) setter(b *value.Builder) func(row int, at int32) (code string) {
	switch {
	case b.Typ == audience.Boolean && c.kind == kindBoolean:
		return func(row int, at int32) string { value.SetBit(b.Bits, row, c.ints[at] != 0); return "" }
	case b.Typ == audience.Long && c.kind == kindWhole:
		return func(row int, at int32) string { b.I64[row] = c.ints[at]; return "" }
	case b.Typ == audience.Integer && c.kind == kindWhole:
		return func(row int, at int32) string {
			b.I32[row] = int32(c.ints[at])
			return rangeUnless(c.ints[at] == int64(int32(c.ints[at])))
		}
	case b.Typ == audience.Long && (c.kind == kindFloat || c.kind == kindDouble):
		return func(row int, at int32) (code string) {
			b.I64[row], code = wholeOf(c.floats[at])
			return code
		}
	case b.Typ == audience.Integer && (c.kind == kindFloat || c.kind == kindDouble):
		return func(row int, at int32) string {
			n, code := wholeOf(c.floats[at])
			if b.I32[row] = int32(n); code == "" {
				code = rangeUnless(n == int64(b.I32[row]))
			}
			return code
		}
	case b.Typ == audience.Number && c.kind == kindWhole:
		return func(row int, at int32) string {
			if b.F64[row] = float64(c.ints[at]); b.Proposed && !value.ExactDouble(c.ints[at]) {
				return tabular.CodeProposed
			}
			return ""
		}
	case b.Typ == audience.Number && (c.kind == kindFloat || c.kind == kindDouble):
		return func(row int, at int32) string {
			v := c.floats[at]
			if b.F64[row] = v; math.IsNaN(v) || math.IsInf(v, 0) {
				return tabular.CodeType
			}
			return ""
		}
	case b.Typ == audience.Date && c.kind == kindDate:
		return func(row int, at int32) string {
			b.I32[row] = int32(c.ints[at])
			_, code := value.InRange(c.ints[at] * value.MicrosPerDay)
			return code
		}
	case b.Typ == audience.DateTime && c.kind == kindDate:
		return func(row int, at int32) (code string) {
			b.I64[row], code = value.InRange(c.ints[at] * value.MicrosPerDay)
			return code
		}
	case b.Typ == audience.DateTime && c.kind == kindTimestamp:
		return func(row int, at int32) (code string) {
			if b.I64[row], code = c.micros(at); code == "" && b.Proposed && c.belowMicros(at) {
				return tabular.CodeProposed
			}
			return code
		}
	case b.Typ == audience.Date && c.kind == kindTimestamp:
		return func(row int, at int32) string {
			micros, code := c.micros(at)
			if code == "" && !c.midnight(at) {
				code = tabular.CodeType
			}
			b.I32[row] = int32(floorDiv(micros, value.MicrosPerDay))
			return code
		}
	}
	return nil
}

// wholeOf returns the whole number that equals a floating-point number.
func wholeOf(v float64) (n int64, code string) {
	switch {
	case v != math.Trunc(v) || math.IsInf(v, 0): // also NaN
		return 0, tabular.CodeType
	case v < math.MinInt64 || v >= -math.MinInt64:
		return 0, tabular.CodeRange
	}
	return int64(v), ""
}

func rangeUnless(fits bool) string {
	if fits {
		return ""
	}
	return tabular.CodeRange
}

// micros returns a timestamp cut to microseconds since 1970-01-01.
func (c *parquetColumn) micros(at int32) (micros int64, code string) {
	v := c.ints[at]
	if c.perUnit > int64(time.Microsecond) {
		scale := c.perUnit / int64(time.Microsecond)
		if v > math.MaxInt64/scale || v < math.MinInt64/scale {
			return 0, tabular.CodeRange
		}
		return value.InRange(v * scale)
	}
	return value.InRange(floorDiv(v, int64(time.Microsecond)/c.perUnit))
}

// belowMicros reports whether a timestamp has digits below microseconds.
func (c *parquetColumn) belowMicros(at int32) bool {
	return c.perUnit < int64(time.Microsecond) && c.ints[at]%(int64(time.Microsecond)/c.perUnit) != 0
}

// midnight reports whether a timestamp is the beginning of a day.
func (c *parquetColumn) midnight(at int32) bool {
	return c.ints[at]%(int64(24*time.Hour)/c.perUnit) == 0
}

// appendTexts appends the values as texts.
func (c *parquetColumn) appendTexts(b *value.Builder, bad *value.Faults) {
	number := c.kind == kindDecimal || c.kind == kindUnsigned || c.kind == kindFloat || c.kind == kindDouble
	for row, at := range c.at {
		if at < 0 {
			b.AddNulls(1)
			continue
		}
		v := c.textOf(at)
		code := b.Append(v, number && !c.notFinite(at))
		if b.Typ == audience.String && c.kind == kindText && !utf8.Valid(v) {
			code = tabular.CodeEncoding
		}
		if code != "" {
			bad.Add(row, code)
		}
	}
}

// addIdentities adds a fault for each row whose value is not an identity.
func (c *parquetColumn) addIdentities(column *tabular.Column, bad *value.Faults) {
	for row, at := range c.at {
		var text []byte
		if at >= 0 {
			text = c.textOf(at)
		}
		if code, reason := value.NoIdentity(column, text); code != "" {
			bad.Refuse(row, code, reason)
		}
	}
}

func (c *parquetColumn) notFinite(at int32) bool {
	return (c.kind == kindFloat || c.kind == kindDouble) && (math.IsNaN(c.floats[at]) || math.IsInf(c.floats[at], 0))
}

// textOf returns a value as text, valid until the next call.
func (c *parquetColumn) textOf(at int32) []byte {
	if c.kind == kindText {
		return c.bytes(at)
	}
	c.buf = c.appendText(c.buf[:0], at)
	return c.buf
}

// appendText appends a value that is not text, as the shortest exact text.
func (c *parquetColumn) appendText(dst []byte, at int32) []byte {
	switch c.kind {
	case kindBoolean:
		return strconv.AppendBool(dst, c.ints[at] != 0)
	case kindWhole:
		return strconv.AppendInt(dst, c.ints[at], 10)
	case kindUnsigned:
		return strconv.AppendUint(dst, uint64(c.ints[at]), 10)
	case kindFloat:
		return appendFloat(dst, c.floats[at], 32)
	case kindDouble:
		return appendFloat(dst, c.floats[at], 64)
	case kindDecimal:
		return appendDecimal(dst, c.unscaled(at), c.scale)
	case kindDate:
		return time.Unix(c.ints[at]*int64(24*time.Hour/time.Second), 0).UTC().AppendFormat(dst, time.DateOnly)
	case kindTime:
		return time.Unix(0, c.ints[at]*c.perUnit).UTC().AppendFormat(dst, "15:04:05.999999999")
	case kindTimestamp:
		return c.appendTimestamp(dst, at)
	}
	v := c.bytes(at) // of a UUID
	if len(v) != 16 {
		return hex.AppendEncode(dst, v)
	}
	for i, part := range [][]byte{v[:4], v[4:6], v[6:8], v[8:10], v[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}

// appendTimestamp appends a timestamp as ISO 8601, with Z if it is an instant.
func (c *parquetColumn) appendTimestamp(dst []byte, at int32) []byte {
	perSecond := int64(time.Second) / c.perUnit
	seconds := floorDiv(c.ints[at], perSecond)
	t := time.Unix(seconds, (c.ints[at]-seconds*perSecond)*c.perUnit).UTC()
	dst = t.AppendFormat(dst, "2006-01-02T15:04:05.999999999")
	if c.utc {
		dst = append(dst, 'Z')
	}
	return dst
}

// appendFloat appends the shortest exact text of a number, without an exponent unless the number is very large or
// small.
func appendFloat(dst []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(v, -1):
		return append(dst, "-Infinity"...)
	}
	const large, small = 1e21, 1e-6
	if a := math.Abs(v); a != 0 && (a >= large || a < small) {
		return strconv.AppendFloat(dst, v, 'e', -1, bits)
	}
	return strconv.AppendFloat(dst, v, 'f', -1, bits)
}

// unscaled returns the digits of a decimal.
func (c *parquetColumn) unscaled(at int32) []byte {
	if c.ends == nil || len(c.ints) > 0 {
		return strconv.AppendInt(nil, c.ints[at], 10)
	}
	v := c.bytes(at)
	n := new(big.Int).SetBytes(v)
	if len(v) > 0 && v[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(v))))
	}
	return n.Append(nil, 10)
}

// appendDecimal appends a decimal number given by its digits, without trailing zeros of the fraction.
func appendDecimal(dst, unscaled []byte, scale int) []byte {
	if unscaled[0] == '-' {
		dst, unscaled = append(dst, '-'), unscaled[1:]
	}
	if missing := scale + 1 - len(unscaled); missing > 0 {
		unscaled = append(bytes.Repeat([]byte{'0'}, missing), unscaled...)
	}
	whole, fraction := unscaled[:len(unscaled)-scale], bytes.TrimRight(unscaled[len(unscaled)-scale:], "0")
	dst = append(dst, whole...)
	if len(fraction) > 0 {
		dst = append(append(dst, '.'), fraction...)
	}
	return dst
}

// appendJSON appends a row's value as JSON.
func (c *parquetColumn) appendJSON(dst []byte, row int) []byte {
	at := c.at[row]
	if at < 0 {
		return append(dst, "null"...)
	}
	v := c.textOf(at)
	switch c.kind {
	case kindBoolean, kindWhole, kindUnsigned, kindDecimal, kindFloat, kindDouble:
		if !c.notFinite(at) {
			return append(dst, v...)
		}
	}
	return appendQuoted(dst, v)
}

// appendQuoted appends a text as a JSON string. It replaces invalid UTF-8 with the replacement character.
func appendQuoted[T ~string | ~[]byte](dst []byte, text T) []byte {
	quoted, _ := jsontext.AppendQuote(dst, text)
	return quoted
}
