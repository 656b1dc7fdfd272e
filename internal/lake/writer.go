package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"roster/internal/audience"
)

// maxRowGroup ends a row group even when the caller does not.
const maxRowGroup = 1 << 18

// DataFile is a file of a table.
type DataFile struct {
	Path  string // its location, as position deletes name it
	Rows  int64
	Bytes int64
	file  iceberg.DataFile
}

// FileWriter writes one data file. Its rows must come sorted by _roster_id. It is not safe for concurrent use.
type FileWriter struct {
	dataset *Dataset
	path    string
	file    *durableFile
	count   *countingWriter
	w       *pqarrow.FileWriter
	ended   bool // the next Write begins a row group
	closed  bool
}

type countingWriter struct {
	w io.WriteCloser
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (c *countingWriter) Close() error { return c.w.Close() }

// NewFile begins a data file in the attempt's directory.
func (d *Dataset) NewFile(dir string) (*FileWriter, error) {
	path := filepath.Join(d.dir, "data", dir, uuid.NewString()+".parquet")
	f, err := createDurable(path)
	if err != nil {
		return nil, err
	}
	w := &FileWriter{dataset: d, path: path, file: f, count: &countingWriter{w: f}}
	// The Arrow schema is not stored: the Iceberg schema says the same, and other readers do not need it.
	w.w, err = pqarrow.NewFileWriter(d.schema, w.count, d.writerProperties(), pqarrow.NewArrowWriterProperties())
	if err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

// writerProperties are those of a data file: a dictionary where few values recur, none where they are all different.
func (d *Dataset) writerProperties() *parquet.WriterProperties {
	opts := []parquet.WriterProperty{
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(1),
		parquet.WithDataPageSize(256 << 10), parquet.WithMaxRowGroupLength(maxRowGroup),
		parquet.WithDictionaryPageSizeLimit(128 << 10), parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCreatedBy("roster"),
	}
	for _, f := range d.schema.Fields() {
		switch f.Type.ID() {
		case arrow.FLOAT64, arrow.BOOL:
			opts = append(opts, parquet.WithDictionaryFor(f.Name, false))
		}
	}
	for _, name := range []string{colID, colContent, colLine} {
		opts = append(opts, parquet.WithDictionaryFor(name, false), parquet.WithCompressionFor(name, compress.Codecs.Uncompressed))
	}
	return parquet.NewWriterProperties(opts...)
}

// Write appends the rows of rec, whose schema is the dataset's.
func (w *FileWriter) Write(rec arrow.RecordBatch) error {
	if w.ended {
		if err := w.w.NewBufferedRowGroupChecked(); err != nil {
			return err
		}
		w.ended = false
	}
	return w.w.WriteBuffered(rec)
}

// EndRowGroup ends the row group: rows written next begin another one.
func (w *FileWriter) EndRowGroup() { w.ended = true }

// Bytes is what was written so far.
func (w *FileWriter) Bytes() int64 { return w.w.TotalCompressedBytes() }

// Close ends the file, makes it durable, and describes it for a commit.
func (w *FileWriter) Close() (DataFile, error) {
	if w.closed {
		return DataFile{}, errors.New("lake: a data file was closed twice")
	}
	w.closed = true
	if err := w.w.Close(); err != nil {
		return DataFile{}, err
	}
	if err := w.count.Close(); err != nil {
		return DataFile{}, err
	}
	meta, err := w.w.FileMetadata()
	if err != nil {
		return DataFile{}, err
	}
	t := w.dataset.table
	df, err := table.DataFileFromMetadata(table.DataFileArgs{
		Schema: t.Schema(), Spec: t.Spec(), Format: iceberg.ParquetFile, Metadata: meta, FilePath: fileURI(w.path),
		FileSize: w.count.n, Content: iceberg.EntryContentData, Properties: t.Properties(), FormatVersion: 2,
	})
	if err != nil {
		return DataFile{}, fmt.Errorf("describe %s: %w", w.path, err)
	}
	return dataFileOf(df), nil
}

func dataFileOf(df iceberg.DataFile) DataFile {
	return DataFile{Path: df.FilePath(), Rows: df.Count(), Bytes: df.FileSizeBytes(), file: df}
}

// Abort removes the file. It does nothing after Close.
func (w *FileWriter) Abort() {
	if w.closed {
		return
	}
	w.closed = true
	w.file.closed = true
	w.file.File.Close()
	os.Remove(w.path)
}

// CreateFile creates a file beside the data, in the attempt's directory, and returns its location. Closing it
// makes it durable.
func (d *Dataset) CreateFile(dir, name string) (io.WriteCloser, string, error) {
	path := filepath.Join(d.dir, "roster", dir, name)
	f, err := createDurable(path)
	if err != nil {
		return nil, "", err
	}
	return f, fileURI(path), nil
}

// OpenFile opens a file that CreateFile created.
func (d *Dataset) OpenFile(location string) (io.ReadSeekCloser, error) {
	path, err := filePath(location)
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

// RemoveAttempts removes the directories of all attempts of a run except keep.
func (d *Dataset) RemoveAttempts(ctx context.Context, run audience.RunID, keep string) error {
	var errs []error
	for _, kind := range []string{"data", "roster"} {
		entries, err := os.ReadDir(filepath.Join(d.dir, kind))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), string(run)+"-") && e.Name() != keep && ctx.Err() == nil {
				errs = append(errs, os.RemoveAll(filepath.Join(d.dir, kind, e.Name())))
			}
		}
	}
	return errors.Join(errs...)
}
