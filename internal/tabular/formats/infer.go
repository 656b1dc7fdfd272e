package formats

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"roster/internal/audience"
	"roster/internal/background"
	"roster/internal/tabular"
	"roster/internal/tabular/csv"
	"roster/internal/tabular/input"
	"roster/internal/tabular/json"
	"roster/internal/tabular/parquet"
)

// Infer proposes a column for each named column of a file: the narrowest type that fits the values of the sample, and
// string if there are none. A header that looks like data is an error, unless the format says that it is a header.
// Infer prefers string if another type would lose information in the sample or, as far as can be known, in the next
// file:
//
//   - whole numbers with leading zeros, a plus sign or more than 15 digits, and decimal numbers of more than 15
//     significant digits, stay strings;
//   - so do the digits of a column whose name shows that they are identifiers, such as zip, phone, id or code;
//   - boolean is proposed for true and false; for yes and no, y and n, t and f, or 1 and 0 only if the sample has both;
//   - times with more than microseconds stay strings.
//
// Values that all match a date pattern of the format are dates, even if they consist of digits alone. Rows that the
// file type's rules ignore count for the sample's size and nothing else. For a Parquet file the types are those of its
// schema, and again string if another type would lose digits. The columns of a file without a header are named column1,
// column2, …, as many as its first record has. Names that several columns have, ignoring case, and names that are not
// valid for a field are left out. Infer detects options that the format leaves open as Read does for the wanted
// columns, if there are any.
func Infer(ctx context.Context, f tabular.File, format audience.Format, wanted []tabular.Column, most tabular.Sample) (out tabular.Inferred, err error) {
	var g errgroup.Group
	g.Go(background.Recovering(func() (err error) {
		out, err = infer(ctx, f, format, wanted, most)
		return err
	}))
	err = g.Wait()
	return out, err
}

// verifiedAtOnce is the size up to which a sample reads an encrypted file to its end, so that a wrong signature shows
// before a run.
const verifiedAtOnce = 4 << 20

func infer(ctx context.Context, f tabular.File, format audience.Format, wanted []tabular.Column, most tabular.Sample) (tabular.Inferred, error) {
	c, err := openContent(ctx, f, format)
	if err != nil {
		return tabular.Inferred{}, err
	}
	defer c.close()
	format.Compression = string(c.method)
	opts := tabular.Options{Format: format, ChunkBytes: tabular.SampleChunk}
	var out tabular.Inferred
	switch c.typ {
	case audience.Parquet:
		out, err = parquet.Infer(ctx, c.file)
	case audience.JSON:
		out, err = json.Infer(ctx, c.text, opts, most)
		if len(wanted) > 0 && errors.Is(err, json.ErrNoRow) {
			err = nil // nothing to propose, and no error
		}
		out.Format = format
		out.Format.Type, out.Format.Encoding = audience.JSON, input.EncodingOf(c.head, format.Encoding)
	default:
		out, err = csv.Infer(ctx, c.text, opts, wanted, most)
	}
	if err == nil && f.Size <= verifiedAtOnce {
		err = c.verify()
	}
	if err != nil {
		return tabular.Inferred{}, fileError(err)
	}
	out.Columns = slices.DeleteFunc(out.Columns, func(c tabular.Column) bool {
		if audience.CanNameField(c.Name) {
			return false
		}
		out.Unnamed = append(out.Unnamed, tabular.CutName(c.Name))
		return true
	})
	return out, nil
}
