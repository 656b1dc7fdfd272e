package tabular

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/text/transform"

	"roster/internal/audience"
)

// HeaderPlace says where the header of a CSV file may be.
type HeaderPlace struct {
	// Looks says that the record in the place of the header looks like one, or that the file's type needs none.
	Looks bool
	// Skip is how many lines stand before another one that names all wanted columns, if Found.
	Skip  int
	Found bool
}

// FindHeader looks at the beginning of a file for the header that names the columns.
func FindHeader(ctx context.Context, f File, format audience.Format, names []string) (HeaderPlace, error) {
	c, err := openContent(ctx, f, format)
	if err != nil {
		return HeaderPlace{}, err
	}
	defer c.close()
	if c.typ != audience.CSV {
		return HeaderPlace{Looks: true}, nil
	}
	head, err := io.ReadAll(io.LimitReader(c.text, layoutBytes))
	if err != nil {
		return HeaderPlace{}, err
	}
	if t := decoder(encodingOf(head, format.Encoding)); t != nil {
		head, _, _ = transform.Bytes(t, head) // what is cut off at the end does not matter
	}
	var wanted []Column
	for _, name := range names {
		wanted = append(wanted, Column{Name: name})
	}
	return findHeader(head, format, wanted), nil
}

// findHeader does so in a decoded text.
func findHeader(head []byte, f audience.Format, wanted []Column) (place HeaderPlace) {
	const most = 30 // lines
	skip, said := preamble(head)
	if head = bytes.Clone(head[skip:min(len(head), skip+layoutBytes)]); len(head) == layoutBytes {
		head = head[:bytes.LastIndexAny(head, "\r\n")+1]
	}
	if f.Delimiter == "" && said != 0 {
		f.Delimiter = string(rune(said))
	}
	if f.Comment != "" {
		blankComments(head, f)
	}
	p, own := proposer{wanted: wanted, asked: f}, f.SkipLines
	f.SkipLines = 0
	for n := 0; n <= most || n <= own; n++ {
		if named, _ := p.header(head, f); n != own && len(wanted) > 0 && named == len(wanted) && !place.Found {
			place.Skip, place.Found = n, true
		}
		if n == own {
			_, place.Looks = (&proposer{asked: f}).header(head, f)
		}
		end, err := titleLines(head, 1)
		if head = head[end:]; err != nil || len(head) == 0 {
			break
		}
	}
	return place
}

// headerElsewhere adds to the error about a header the line that names the wanted columns, if one of the first does.
func headerElsewhere(err error, head []byte, f audience.Format, columns []Column) error {
	var file *FileError
	if !errors.As(err, &file) || file.Code != "NO_HEADER" && file.Code != "MISSING_COLUMN" {
		return err
	}
	var wanted []Column
	for _, c := range columns {
		if c.Required {
			wanted = append(wanted, c)
		}
	}
	place := findHeader(head, f, wanted)
	if !place.Found {
		return err
	}
	why := "the header is not where it should be"
	if f.SkipLines == 0 {
		why = "lines stand before the header"
	}
	return &FileError{Code: file.Code, Message: fmt.Sprintf("%s: line %d names the audience's identities. Say so: \"skipLines\": %d in sourceSpec.format, or --skip-lines %d for roster import",
		why, place.Skip+1, place.Skip, place.Skip)}
}
