package importing

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/formats"
)

// hintRows is the sample for hints.
var hintRows = tabular.Sample{Rows: 1000, Bytes: 1 << 20}

// datePatterns are usual patterns of dates in addition to ISO 8601. If two differ only in whether the day or the month
// comes first, the one with the day comes first.
var datePatterns = func() (list []string) {
	for _, date := range []string{"dd.MM.yyyy", "d.M.yyyy", "dd/MM/yyyy", "MM/dd/yyyy", "d/M/yyyy", "M/d/yyyy", "dd-MM-yyyy", "MM-dd-yyyy", "yyyy/MM/dd", "yyyy.MM.dd",
		"dd.MM.yy", "dd/MM/yy", "MM/dd/yy", "d MMM yyyy", "dd-MMM-yyyy", "d MMMM yyyy", "MMM d, yyyy", "MMMM d, yyyy"} {
		for _, time := range []string{"", " HH:mm", " HH:mm:ss", " h:mm a"} {
			list = append(list, date+time)
		}
	}
	return list
}()

// hints returns a sentence for each text column that may contain numbers or dates, with the option that reads them so.
func (im *Import) hints(ctx context.Context) (list []string) {
	texts := map[string]bool{}
	for _, f := range im.Result.Fields {
		at := fieldNamed(im.has, f.Name)
		if f.Type == string(audience.String) && f.IdentityNs == "" && !im.typeGiven(f.Name) && (at < 0 || im.has[at].Type != f.Type) {
			texts[f.Name] = true
		}
	}
	base := im.format()
	commas, dates := base, base
	commas.DecimalComma = !base.DecimalComma
	how := im.option("decimalComma", strconv.FormatBool(commas.DecimalComma))
	for name, t := range im.retyped(ctx, commas, texts) {
		if t == audience.Number {
			list = append(list, fmt.Sprintf("%s is text that looks like numbers: %s reads them as numbers, in all columns", name, how))
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
		hint := fmt.Sprintf("%s is text that looks like dates: %s %q reads them as dates", name, im.option("dateFormats"), patterns[0])
		monthFirst := strings.NewReplacer("dd", "MM", "MM", "dd", "d", "M", "M", "d").Replace(patterns[0])
		if slices.Contains(patterns[1:], monthFirst) {
			hint += fmt.Sprintf(", or %s %q if the month comes first", im.option("dateFormats"), monthFirst)
		}
		list = append(list, hint)
	}
	slices.Sort(list)
	return list
}

// retyped returns the text columns that get another type when the file is read with another format, with that type.
func (im *Import) retyped(ctx context.Context, format audience.Format, texts map[string]bool) map[string]audience.Type {
	if len(texts) == 0 || im.headerless() {
		return nil // the columns have other names
	}
	found, err := formats.Infer(ctx, im.file.stored(), format, nil, hintRows)
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

// showHints shows the hints below the columns.
func (im *Import) showHints(ctx context.Context) {
	for _, hint := range im.hints(ctx) {
		im.tell("Column of %s: %s.", im.file.base(), hint)
		im.Result.Hints = append(im.Result.Hints, hint)
	}
}
