package lake

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
)

// createdBy marks Parquet files that Roster wrote. They are sorted, have bounds, and use Roster's types.
const createdBy = "roster"

const (
	// maxRowGroup is the maximum number of rows in a row group, even if the caller does not end it.
	maxRowGroup = 1 << 17
	// With pageSize and writeBatch, arrow-go's writer was fastest (BenchmarkWrite). Larger pages need more memory and
	// do not compress better.
	pageSize   = 32 << 10
	writeBatch = 4 << 10
	// leastPage is the minimum size of a page, used when there are very many columns.
	leastPage = 8 << 10
	// dictionaryLimit is the size at which a column goes back to plain values, before its dictionary outgrows the
	// processor's cache. The limit matters if the first rows of a column are not typical.
	dictionaryLimit = 256 << 10
	// The first sampleRows of the first batch decide whether a column gets a dictionary: at most one in sampleDistinct
	// of their values may be different. Rows are ordered by a hash, so the first rows are a random sample.
	sampleRows     = 4 << 10
	sampleDistinct = 4
)

// writerProperties returns the properties for a data file that begins with rec. The encodings of the system columns are
// fixed: keys and hashes do not compress, line numbers are small, and the other columns have the same value in nearly
// all rows. Integers and times without a dictionary are delta-encoded, which is smaller and faster than compression.
func writerProperties(rec arrow.RecordBatch, opts FileOptions) *parquet.WriterProperties {
	open := int64(max(opts.Memory/int(rec.NumCols()), leastPage)) // bytes of the open page of a column
	props := []parquet.WriterProperty{
		parquet.WithCompression(compress.Codecs.Snappy),
		parquet.WithDataPageSize(min(pageSize, open)), parquet.WithBatchSize(writeBatch), parquet.WithMaxRowGroupLength(maxRowGroup),
		parquet.WithDictionaryPageSizeLimit(min(dictionaryLimit, open)), parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCreatedBy(createdBy),
		parquet.WithPageIndexEnabled(true), // to look up one row, only its pages are read
	}
	for i, f := range rec.Schema().Fields() {
		if wantsDictionary(f.Name, rec.Column(i), opts) {
			continue // the default
		}
		props = append(props, parquet.WithDictionaryFor(f.Name, false))
		switch f.Type.ID() {
		case arrow.INT32, arrow.INT64, arrow.DATE32, arrow.TIMESTAMP:
			props = append(props, parquet.WithCompressionFor(f.Name, compress.Codecs.Uncompressed))
			if f.Name != ColContent {
				props = append(props, parquet.WithEncodingFor(f.Name, parquet.Encodings.DeltaBinaryPacked))
			}
		case arrow.FIXED_SIZE_BINARY:
			props = append(props, parquet.WithCompressionFor(f.Name, compress.Codecs.Uncompressed))
		}
	}
	return parquet.NewWriterProperties(props...)
}

func wantsDictionary(name string, col arrow.Array, opts FileOptions) bool {
	if hint, ok := opts.Dictionary[name]; ok {
		return hint
	}
	switch name {
	case ColSince, ColSeen, ColRun, ColFile:
		return true
	case ColID, ColContent, ColLine:
		return false
	}
	return distinct(col, sampleRows)*sampleDistinct <= min(col.Len(), sampleRows)
}

// distinct returns the number of different values in the first rows.
func distinct(col arrow.Array, rows int) int {
	rows = min(rows, col.Len())
	switch c := col.(type) {
	case *array.String:
		return countDistinct(c, rows, c.Value)
	case *array.Int64:
		return countDistinct(c, rows, c.Value)
	case *array.Int32:
		return countDistinct(c, rows, c.Value)
	case *array.Date32:
		return countDistinct(c, rows, c.Value)
	case *array.Timestamp:
		return countDistinct(c, rows, c.Value)
	case *array.Float64:
		return countDistinct(c, rows, c.Value)
	}
	return rows // booleans get no dictionary
}

func countDistinct[T comparable](col arrow.Array, rows int, value func(int) T) int {
	seen := make(map[T]struct{}, rows)
	for i := range rows {
		if col.IsValid(i) {
			seen[value(i)] = struct{}{}
		}
	}
	return len(seen)
}
