package csv

import "roster/internal/audience"

// dialect describes how the records of a file are written. Its marks are different ASCII characters, none of them a
// line end.
type dialect struct {
	delimiter byte
	quote     byte // 0 if no field is quoted
	escape    byte // makes the next byte literal in quoted fields; 0 if there is no such mark
}

// standard is the dialect of RFC 4180.
var standard = dialect{delimiter: ',', quote: '"'}

// describe adds to a format how a file was read.
func (d dialect) describe(f audience.Format, encoding string) audience.Format {
	name := func(mark byte) string {
		if mark == 0 {
			return audience.None
		}
		return string(rune(mark))
	}
	f.Type, f.Encoding = audience.CSV, encoding
	f.Delimiter, f.Quote, f.Escape = name(d.delimiter), name(d.quote), name(d.escape)
	return f
}

// markOf returns the mark that a valid format names, 0 for none.
func markOf(name string) byte {
	if name == "" || name == audience.None || name == audience.Spreadsheet {
		return 0
	}
	return name[0]
}
