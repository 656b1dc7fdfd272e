package api

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"roster/internal/audience"
	"roster/internal/members"
)

// Columns of a member list after the audience's fields. Names of fields cannot have this prefix.
const (
	colSince   = "_roster_since"     // start of the membership
	colSeen    = "_roster_seen"      // time of the last run that contained the row
	colExpires = "_roster_expiresAt" // end of the membership
	colRunID   = "_roster_runId"     // run that wrote the row
	colFile    = "_roster_file"      // file of the row
	colLine    = "_roster_line"      // line of the row in the file
)

// listForm is the format of a list.
type listForm struct {
	csv         bool
	spreadsheet bool // CSV with escaped formulas and a last column that says so
}

var memberColumns = []string{colSince, colSeen, colExpires, colRunID, colFile, colLine}

// memberEncoder appends members to a buffer, one per line, directly from columns.
type memberEncoder struct {
	buf []byte
	listForm
	before [][]byte // text before each value: `{"mail":`, `,"points":`, …; commas in CSV
	// columns are the columns of the batch; append are the functions that append their values.
	columns []members.Column
	append  []appender
	times   [3]timeText // texts of the time columns
}

// appender appends a non-null value of a column.
type appender func(dst []byte, row int) []byte

func newMemberEncoder(fields []audience.Field, form listForm) *memberEncoder {
	e := &memberEncoder{listForm: form}
	names := make([]string, 0, len(fields)+len(memberColumns))
	for _, f := range fields {
		names = append(names, f.Name)
	}
	names = append(names, memberColumns...)
	if form.spreadsheet {
		names = append(names, audience.EscapedColumn)
	}
	for i, name := range names {
		switch {
		case !form.csv:
			before := []byte{','}
			if i == 0 {
				before = []byte{'{'}
			}
			e.before = append(e.before, append(appendJSON(before, name), ':'))
		case i == 0:
			e.before = append(e.before, nil)
			e.buf = e.appendText(e.buf, name)
		default:
			e.before = append(e.before, []byte{','})
			e.buf = e.appendText(append(e.buf, ','), name)
		}
	}
	if form.csv {
		e.buf = append(e.buf, '\n')
	}
	return e
}

// begin sets the columns of the next batch.
func (e *memberEncoder) begin(columns []members.Column) {
	e.columns, e.append = columns, e.append[:0]
	for i := range columns {
		e.append = append(e.append, e.appender(&columns[i]))
	}
}

// provenance returns for each row of a batch the start and end of the membership and the origin of the row; see
// members.Batch.
type provenance interface {
	Since(row int) int64
	Seen(row int) int64
	Expires(row int) int64
	Line(row int) int64
	Origin(ctx context.Context, row int) (run audience.RunID, file string, err error)
}

var _ provenance = (*members.Batch)(nil)

// row appends one member of the batch.
func (e *memberEncoder) row(ctx context.Context, b provenance, row int) error {
	dst := e.buf
	for i := range e.columns {
		dst = append(dst, e.before[i]...)
		switch {
		case !e.columns[i].Null(row):
			dst = e.append[i](dst, row)
		case !e.csv:
			dst = append(dst, "null"...)
		}
	}
	n := len(e.columns)
	for i, at := range [...]int64{b.Since(row), b.Seen(row), b.Expires(row)} {
		dst = append(dst, e.before[n+i]...)
		dst = e.times[i].append(dst, at, e.csv)
	}
	run, file, err := b.Origin(ctx, row)
	if err != nil {
		return err
	}
	dst = e.known(append(dst, e.before[n+3]...), string(run))
	dst = e.known(append(dst, e.before[n+4]...), file)
	dst = strconv.AppendInt(append(dst, e.before[n+5]...), b.Line(row), 10)
	switch {
	case e.spreadsheet:
		dst = append(dst, ',')
	case !e.csv:
		dst = append(dst, '}')
	}
	e.buf = append(dst, '\n')
	return nil
}

// known appends a text; null for "".
func (e *memberEncoder) known(dst []byte, text string) []byte {
	switch {
	case text == "" && e.csv:
		return dst
	case text == "":
		return append(dst, "null"...)
	}
	return e.appendText(dst, text)
}

// appendText appends a text in the list's format.
func (f listForm) appendText(dst []byte, s string) []byte {
	switch {
	case !f.csv:
		return appendJSON(dst, s)
	case f.spreadsheet:
		return appendSpreadsheet(dst, s)
	}
	return appendCSV(dst, s)
}

// appender returns the function that appends the values of a column.
func (e *memberEncoder) appender(c *members.Column) appender {
	switch c.Kind {
	case members.Number:
		return e.number(func(dst []byte, row int) []byte { return appendNumber(dst, c.Number(row)) })
	case members.Whole:
		return e.number(func(dst []byte, row int) []byte { return strconv.AppendInt(dst, c.Whole(row), 10) })
	case members.Boolean:
		return func(dst []byte, row int) []byte { return strconv.AppendBool(dst, c.Is(row)) }
	case members.Day:
		return e.quoted(func(dst []byte, row int) []byte {
			return time.Unix(c.Whole(row)*24*60*60, 0).UTC().AppendFormat(dst, time.DateOnly)
		})
	case members.Instant:
		return e.quoted(func(dst []byte, row int) []byte { return appendInstant(dst, c.Whole(row)) })
	}
	switch {
	case e.spreadsheet:
		return func(dst []byte, row int) []byte { return appendSpreadsheet(dst, c.Text(row)) }
	case e.csv:
		return func(dst []byte, row int) []byte { return appendCSV(dst, c.Text(row)) }
	}
	return func(dst []byte, row int) []byte { return appendJSON(dst, c.Text(row)) }
}

// number also escapes negative numbers for a spreadsheet, so that one rule applies to all values.
func (e *memberEncoder) number(value appender) appender {
	if !e.spreadsheet {
		return value
	}
	var text []byte
	return func(dst []byte, row int) []byte {
		text = value(text[:0], row)
		if text[0] == '-' {
			return appendSpreadsheet(dst, string(text))
		}
		return append(dst, text...)
	}
}

// quoted puts values in quotation marks in JSON.
func (e *memberEncoder) quoted(value appender) appender {
	if e.csv {
		return value
	}
	return func(dst []byte, row int) []byte { return append(value(append(dst, '"'), row), '"') }
}

// timeText caches the text of a column's last time, because all members of a run have the same.
type timeText struct {
	at   int64
	text []byte
}

func (t *timeText) append(dst []byte, at int64, csv bool) []byte {
	if t.at != at || t.text == nil {
		t.at, t.text = at, t.text[:0]
		if !csv {
			t.text = append(t.text, '"')
		}
		t.text = appendInstant(t.text, at)
		if !csv {
			t.text = append(t.text, '"')
		}
	}
	return append(dst, t.text...)
}

// appendInstant appends epoch microseconds as ISO 8601 in UTC.
func appendInstant(dst []byte, micros int64) []byte {
	return time.UnixMicro(micros).UTC().AppendFormat(dst, time.RFC3339Nano)
}

// appendNumber appends a number as encoding/json does: with the fewest digits that identify it.
func appendNumber(dst []byte, f float64) []byte {
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

// appendJSON appends a text as a JSON string. It replaces invalid UTF-8 with U+FFFD.
func appendJSON(dst []byte, s string) []byte {
	if plainJSON(s) {
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"')
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err) // a string can always be encoded
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte{'\n'})...)
}

// plainJSON reports whether a text needs no escape.
func plainJSON(s string) bool {
	ascii := true
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == '"' || c == '\\' {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || utf8.ValidString(s)
}

// appendSpreadsheet appends a text as a CSV value that spreadsheets do not compute.
func appendSpreadsheet(dst []byte, s string) []byte {
	if escaped := audience.EscapeFormula(s); escaped != s {
		return appendQuoted(dst, escaped)
	}
	return appendCSV(dst, s)
}

// appendCSV appends a text as a CSV value (RFC 4180). An empty text is quoted; null is not.
func appendCSV(dst []byte, s string) []byte {
	if s != "" && strings.IndexByte(s, ',') < 0 && strings.IndexByte(s, '"') < 0 && strings.IndexByte(s, '\n') < 0 && strings.IndexByte(s, '\r') < 0 {
		return append(dst, s...)
	}
	return appendQuoted(dst, s)
}

func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for {
		quote := strings.IndexByte(s, '"')
		if quote < 0 {
			return append(append(dst, s...), '"')
		}
		dst = append(append(dst, s[:quote+1]...), '"')
		s = s[quote+1:]
	}
}
