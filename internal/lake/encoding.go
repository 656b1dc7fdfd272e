package lake

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
)

// createdBy says in a Parquet file that Roster wrote it: sorted, with bounds, and with the types of its own.
const createdBy = "roster"

const (
	// maxRowGroup ends a row group even when the caller does not.
	maxRowGroup = 1 << 17
	// pageSize and writeBatch are where arrow-go's writer was fastest (BenchmarkWrite); larger pages cost memory
	// and compress no better.
	pageSize   = 32 << 10
	writeBatch = 4 << 10
	// leastPage is how small pages are, when there are very many columns.
	leastPage = 8 << 10
	// dictionaryLimit makes a column whose first rows misled go back to plain values before the dictionary
	// outgrows the processor's cache.
	dictionaryLimit = 256 << 10
	// sampleRows of the first batch say whether a dictionary pays: it does when no more than one in
	// sampleDistinct of their values are different. Rows lie in the order of a hash, so that the first are as
	// good a sample as any.
	sampleRows     = 4 << 10
	sampleDistinct = 4
)

// writerProperties are those of a data file that begins with rec. The system columns are known: keys and hashes
// do not compress, line numbers are small, the others are the same in nearly all rows. Whole numbers and times
// without a dictionary are packed by their differences, which takes less room than compressing them, and less
// time.
func writerProperties(rec arrow.RecordBatch, opts FileOptions) *parquet.WriterProperties {
	open := int64(max(opts.Memory/int(rec.NumCols()), leastPage)) // bytes of the open page of a column
	props := []parquet.WriterProperty{
		parquet.WithCompression(compress.Codecs.Snappy),
		parquet.WithDataPageSize(min(pageSize, open)), parquet.WithBatchSize(writeBatch), parquet.WithMaxRowGroupLength(maxRowGroup),
		parquet.WithDictionaryPageSizeLimit(min(dictionaryLimit, open)), parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCreatedBy(createdBy),
		parquet.WithPageIndexEnabled(true), // who looks for one row reads the pages that it is in, and no others
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

// distinct returns how many different values the first rows have.
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
	return rows // a boolean has no dictionary
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
