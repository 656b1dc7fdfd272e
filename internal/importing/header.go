package importing

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"roster/internal/tabular"
	"roster/internal/tabular/formats"
)

// explain adds to the error about a missing column where the header of the file may be. A line that does not look like
// a header may be personal data, so it is not shown.
func (im *Import) explain(ctx context.Context, err error) error {
	var missing *missingColumn
	if file := (*tabular.FileError)(nil); errors.As(err, &file) && file.Code == "NO_HEADER" {
		if line := im.headerLine(ctx, im.identityColumns()...); line != "" {
			return fmt.Errorf("%s: %s", im.file.Name, line)
		}
	}
	if !errors.As(err, &missing) {
		return err
	}
	place, failed := im.findHeader(ctx, missing.name)
	switch {
	case failed != nil || im.headerless():
		return err
	case place.Found:
		return usagef("%s %s: the header has no such column, but line %d of %s names it: use %s", missing.option, missing.name, place.Skip+1, im.file.Name, im.skipLines(place.Skip))
	case !place.Looks:
		return usagef("%s %s: the first line of %s names no such column, and does not look like a header. %s", missing.option, missing.name, im.file.Name, im.headerOptions())
	}
	return err
}

// headerLine returns text about the line of the file that names columns, if that is not the header, and "" otherwise.
func (im *Import) headerLine(ctx context.Context, names ...string) string {
	place, err := im.findHeader(ctx, names...)
	if err != nil || !place.Found || im.headerless() {
		return ""
	}
	return fmt.Sprintf("line %d names the column %s: use %s", place.Skip+1, strings.Join(names, ", "), im.skipLines(place.Skip))
}

// identityColumns returns the columns that identify members, from the request or the audience.
func (im *Import) identityColumns() (names []string) {
	for _, id := range im.Identities {
		names = append(names, id.Column)
	}
	if at := primary(im.before); len(names) == 0 && at >= 0 {
		names = append(names, im.before[at].Name)
	}
	return names
}

// headerOptions explains the options for a file without a header, or with lines before the header.
func (im *Import) headerOptions() string {
	return fmt.Sprintf("If the file has no header, use %s; if there are lines before the header, use %s with their number", im.option("header", "false"), im.option("skipLines"))
}

func (im *Import) skipLines(n int) string { return im.option("skipLines", strconv.Itoa(n)) }

// columnNames lists the columns of the file, or reports that its header does not look like one.
func (im *Import) columnNames(ctx context.Context) string {
	if place, err := im.findHeader(ctx); err == nil && !place.Looks && !im.headerless() {
		return fmt.Sprintf("the first line of %s does not look like a header. %s", im.file.Name, im.headerOptions())
	}
	var names []string
	for _, f := range im.Result.Fields {
		names = append(names, f.Name)
	}
	return "the columns are " + strings.Join(names, ", ")
}

// findHeader looks for the header that names the columns.
func (im *Import) findHeader(ctx context.Context, names ...string) (tabular.HeaderPlace, error) {
	return formats.FindHeader(ctx, im.file.stored(), im.format(), names)
}
