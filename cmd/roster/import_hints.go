package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"roster/internal/audience"
	"roster/internal/tabular"
)

// missingColumn is the error about a column that a flag names and the file does not have.
type missingColumn struct {
	flag, name string
	columns    []string
}

func (e *missingColumn) Error() string {
	return fmt.Sprintf("%s %s: there is no such column; the columns are %s", e.flag, e.name, strings.Join(e.columns, ", "))
}

// explain says where the header of the file may be, when it does not name a column. What does not look like a header may be a
// person's data, which is not shown.
func (im *importer) explain(ctx context.Context, err error) error {
	var missing *missingColumn
	if file := (*tabular.FileError)(nil); errors.As(err, &file) && file.Code == "NO_HEADER" {
		if line := im.headerLine(ctx, im.identityColumns()...); line != "" {
			return fmt.Errorf("%s: %s", im.file, line)
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
		return usagef("%s %s: the header has no such column, and line %d of %s names it: say --skip-lines %d", missing.flag, missing.name, place.Skip+1, im.file, place.Skip)
	case !place.Looks:
		return usagef("%s %s: the first line of %s names no such column, and does not look like a header. %s", missing.flag, missing.name, im.file, headerFlags)
	}
	return err
}

// headerLine says which line of the file names columns, when that is not the header; else it is empty.
func (im *importer) headerLine(ctx context.Context, names ...string) string {
	place, err := im.findHeader(ctx, names...)
	if err != nil || !place.Found || im.headerless() {
		return ""
	}
	return fmt.Sprintf("line %d names the column %s: say --skip-lines %d", place.Skip+1, strings.Join(names, ", "), place.Skip)
}

// identityColumns are the columns that make members, as the flags or the audience say.
func (im *importer) identityColumns() (names []string) {
	for _, flag := range im.identities {
		name, _, _ := strings.Cut(flag, "=")
		names = append(names, name)
	}
	if at := primary(im.before); len(names) == 0 && at >= 0 {
		names = append(names, im.before[at].Name)
	}
	return names
}

const headerFlags = "If the file has no header say --no-header, and if lines stand before it say --skip-lines with their number"

// columnNames lists the columns of the file, or says that its header does not look like one.
func (im *importer) columnNames(ctx context.Context) string {
	if place, err := im.findHeader(ctx); err == nil && !place.Looks && !im.headerless() {
		return fmt.Sprintf("the first line of %s does not look like a header. %s", im.file, headerFlags)
	}
	var names []string
	for _, f := range im.result.Fields {
		names = append(names, f.Name)
	}
	return "the columns are " + strings.Join(names, ", ")
}

// findHeader looks for the header that names the columns.
func (im *importer) findHeader(ctx context.Context, names ...string) (tabular.HeaderPlace, error) {
	f, err := os.Open(im.path)
	if err != nil {
		return tabular.HeaderPlace{}, err
	}
	defer f.Close()
	return tabular.FindHeader(ctx, stored(f, im.info.Size()), im.format.domain(), names)
}

// hintRows is what hints are found in.
var hintRows = tabular.Sample{Rows: 1000, Bytes: 1 << 20}

// datePatterns are usual ways to write dates beside ISO 8601. Of those that differ only in which of day and month stands first, the
// day does.
var datePatterns = func() (list []string) {
	for _, date := range []string{"dd.MM.yyyy", "d.M.yyyy", "dd/MM/yyyy", "MM/dd/yyyy", "d/M/yyyy", "M/d/yyyy", "dd-MM-yyyy", "MM-dd-yyyy", "yyyy/MM/dd", "yyyy.MM.dd",
		"dd.MM.yy", "dd/MM/yy", "MM/dd/yy", "d MMM yyyy", "dd-MMM-yyyy", "d MMMM yyyy", "MMM d, yyyy", "MMMM d, yyyy"} {
		for _, time := range []string{"", " HH:mm", " HH:mm:ss", " h:mm a"} {
			list = append(list, date+time)
		}
	}
	return list
}()

// hints says which columns of text may be numbers or dates, and which options read them so.
func (im *importer) hints(ctx context.Context) (list []string) {
	texts := map[string]bool{}
	for _, f := range im.result.Fields {
		at := fieldNamed(im.has, f.Name)
		if f.Type == string(audience.String) && f.IdentityNs == "" && !im.typeGiven(f.Name) && (at < 0 || im.has[at].Type != f.Type) {
			texts[f.Name] = true
		}
	}
	base := im.format.domain()
	commas, dates := base, base
	commas.DecimalComma = !base.DecimalComma
	how := "--decimal-comma"
	if base.DecimalComma {
		how = "--decimal-comma=false"
	}
	for name, t := range im.retyped(ctx, commas, texts) {
		if t == audience.Number {
			list = append(list, fmt.Sprintf("%s is text, and looks like numbers: %s reads them so, for all columns", name, how))
		}
	}
	dates.DateFormats = slices.Concat(base.DateFormats, datePatterns)
	ways := map[string][]string{}
	dated := im.retyped(ctx, dates, texts)
	for _, pattern := range datePatterns {
		if len(dated) == 0 {
			break
		}
		dates.DateFormats = append(slices.Clone(base.DateFormats), pattern)
		for name := range im.retyped(ctx, dates, texts) {
			ways[name] = append(ways[name], pattern)
		}
	}
	for name, patterns := range ways {
		hint := fmt.Sprintf("%s is text, and looks like dates: --date-format %q reads them so", name, patterns[0])
		monthFirst := strings.NewReplacer("dd", "MM", "MM", "dd", "d", "M", "M", "d").Replace(patterns[0])
		if slices.Contains(patterns[1:], monthFirst) {
			hint += fmt.Sprintf(", or --date-format %q where the month stands first", monthFirst)
		}
		list = append(list, hint)
	}
	slices.Sort(list)
	return list
}

// retyped returns those columns of text that have another type when the file is read in another way, with that type.
func (im *importer) retyped(ctx context.Context, format audience.Format, texts map[string]bool) map[string]audience.Type {
	if len(texts) == 0 || im.headerless() {
		return nil // whose columns have other names
	}
	f, err := os.Open(im.path)
	if err != nil {
		return nil
	}
	defer f.Close()
	found, err := tabular.Infer(ctx, stored(f, im.info.Size()), format, nil, hintRows)
	if err != nil {
		return nil // a hint is not worth an error
	}
	types := map[string]audience.Type{}
	for _, c := range found.Columns {
		if texts[c.Name] && c.Type != audience.String {
			types[c.Name] = c.Type
		}
	}
	return types
}

// showHints shows them below the columns.
func (im *importer) showHints(ctx context.Context) {
	for _, hint := range im.hints(ctx) {
		fmt.Fprintf(im.out, "Column of %s: %s.\n", filepath.Base(im.path), hint)
		im.result.Hints = append(im.result.Hints, hint)
	}
}
