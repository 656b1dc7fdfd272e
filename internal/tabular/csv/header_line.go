package csv

import (
	"bytes"
	"errors"
	"fmt"

	"roster/internal/audience"
	"roster/internal/tabular"
)

// FindHeader looks for the header in a decoded text.
func FindHeader(head []byte, f audience.Format, wanted []tabular.Column) (place tabular.HeaderPlace) {
	const most = 30 // lines
	skip, said := preamble(head)
	if head = bytes.Clone(head[skip:min(len(head), skip+LayoutBytes)]); len(head) == LayoutBytes {
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

// headerElsewhere adds to the error about a header the number of a line that names the wanted columns, if one of the
// first lines does.
func headerElsewhere(err error, head []byte, f audience.Format, columns []tabular.Column) error {
	var file *tabular.FileError
	if !errors.As(err, &file) || file.Code != "NO_HEADER" && file.Code != "MISSING_COLUMN" {
		return err
	}
	var wanted []tabular.Column
	for _, c := range columns {
		if c.Required {
			wanted = append(wanted, c)
		}
	}
	place := FindHeader(head, f, wanted)
	if !place.Found {
		return err
	}
	why := "the header is in another place"
	if f.SkipLines == 0 {
		why = "there are lines before the header"
	}
	return &tabular.FileError{Code: file.Code, Message: fmt.Sprintf("%s: line %d names the audience's identities. Set \"skipLines\": %d in sourceSpec.format, or --skip-lines %d for roster import",
		why, place.Skip+1, place.Skip, place.Skip)}
}
