package parquet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"roster/internal/tabular"
)

// Marks at both ends of a Parquet file.
const (
	Magic            = "PAR1"
	parquetEncrypted = "PARE"
)

// Is reports whether a file that begins with head is Parquet. A file that only begins as Parquet and is not text is cut
// off, which is an error.
func Is(ctx context.Context, f tabular.File, head []byte) (bool, error) {
	if !bytes.HasPrefix(head, []byte(Magic)) && !bytes.HasPrefix(head, []byte(parquetEncrypted)) {
		return false, nil
	}
	var tail [len(Magic)]byte
	if f.Size >= 2*int64(len(tail)) {
		at := &rangesAt{ctx: ctx, file: f}
		if _, err := at.ReadAt(tail[:], f.Size-int64(len(tail))); err != nil {
			return false, tabular.Unreadable(err)
		}
	}
	switch {
	case string(tail[:]) == parquetEncrypted:
		return false, parquetError("the Parquet file is encrypted; write it without encryption")
	case string(tail[:]) == Magic:
		return true, nil
	case bytes.IndexByte(head, 0) >= 0 || len(head) == len(Magic):
		return false, parquetError("the file begins as Parquet but has no footer at its end: it is cut off; upload the complete file")
	}
	return false, nil
}

func parquetError(message string, args ...any) error {
	return &tabular.FileError{Code: "PARQUET", Message: fmt.Sprintf(message, args...)}
}

// parquetFile is an open Parquet file.
type parquetFile struct {
	source   *rangesAt
	footer   parquetFooter
	end      int64 // where the footer begins, and the columns end
	buffer   int64 // bytes of read-ahead per column
	fence    fence
	rows     int64        // of all row groups
	text     atomic.Int64 // bytes of text that were read
	unpacked atomic.Int64 // uncompressed bytes that the read pages claim
}

// A file is refused as a decompression bomb if it has this many rows or bytes of text, and this many times more than
// bytes.
const (
	bombRows  = 1 << 20
	bombText  = 1 << 30
	bombRatio = 1000
)

func bomb(of string) error {
	return parquetError("the Parquet file has more than %d times as many %s as bytes; it is refused as a decompression bomb", bombRatio, of)
}

// unpacks counts the uncompressed bytes that a page claims.
func (p *parquetFile) unpacks(n int64) error {
	if all := p.unpacked.Add(n); all > bombText && all/bombRatio > p.source.file.Size {
		return bomb("bytes without compression")
	}
	return nil
}

const (
	// streamMemory is shared by the buffers of the columns that are read at the same time.
	streamMemory         = 64 << 20
	minStream, maxStream = 64 << 10, 1 << 20
)

// openParquet reads a file's footer; streams is the number of columns that are read concurrently, memory the limit for
// decoding.
func openParquet(ctx context.Context, f tabular.File, streams int, memory int64) (*parquetFile, error) {
	p := &parquetFile{source: &rangesAt{ctx: ctx, file: f}, buffer: min(max(streamMemory/int64(max(streams, 1)), minStream), maxStream)}
	p.fence.limit = memory
	err := p.reading(p.readFooter)
	if err == nil && len(p.footer.fields) > tabular.MaxColumns {
		err = &tabular.FileError{Code: "TOO_MANY_COLUMNS", Message: fmt.Sprintf("the file has more than %d columns; at most %d are possible", tabular.MaxColumns, tabular.MaxColumns)}
	}
	return p, err
}

// reading calls fn, which reads the file, and classifies its error. It also returns the library's panics, which damaged
// files cause.
func (p *parquetFile) reading(fn func() error) (err error) {
	defer func() {
		switch panicked := recover().(type) {
		case nil:
		case *tabular.FileError:
			err = panicked
		case runtime.Error: // the text describes the library's code, not the file
			err = errors.New("its values contradict their description")
		default:
			err = fmt.Errorf("%v", panicked)
		}
		_, known := err.(*tabular.FileError)
		switch failed := p.source.err.Load(); {
		case failed != nil: // also if the library has not reported it yet
			err = &tabular.FileError{Code: "READ", Message: "reading the Parquet file failed", Err: *failed}
		case err != nil && !known:
			err = parquetError("the Parquet file is damaged (%.200s); write it again", err)
		}
	}()
	return fn()
}

// parquetGates are the columns of a row group as the library reads them: a virtual file in which each column has a
// separate range of offsets.
type parquetGates []*pageGate

// gateBits is the size of such a range in bits.
const gateBits = 40

// ReadAt reads the next bytes of a column.
func (g parquetGates) ReadAt(p []byte, at int64) (int, error) { return g[at>>gateBits-1].Read(p) }

// Seek implements io.Seeker. The library requires it and does not call it if it receives the metadata.
func (parquetGates) Seek(int64, int) (int64, error) { return 0, errors.ErrUnsupported }

// openGroup opens the wanted columns of a row group.
func (p *parquetFile) openGroup(g parquetGroup, columns []parquetColumn, flat *schema.Schema, mem memory.Allocator, space *pageSpace) (*file.RowGroupReader, error) {
	chunks := make([]parquetChunk, len(columns))
	r := thriftReader{rest: p.footer.raw[g.at:]}
	readGroup(&r, columns, chunks)
	build := metadata.NewFileMetadataBuilder(flat, parquet.NewWriterProperties(), nil)
	group := build.AppendRowGroup()
	group.SetNumRows(int(g.rows))
	gates := make(parquetGates, len(columns))
	for i := range columns {
		gates[i] = newPageGate(p, &columns[i], &chunks[i], g.rows, space)
		columns[i].gate = gates[i]
		place := int64(i+1) << gateBits
		info := metadata.ChunkMetaInfo{NumValues: g.rows, DataPageOffset: place, IndexPageOffset: -1, CompressedSize: 1<<gateBits - 1}
		if err := group.NextColumnChunk().Finish(info, false, false, metadata.EncodingStats{}); err != nil {
			return nil, err
		}
	}
	if err := group.Finish(0, 0); err != nil {
		return nil, err
	}
	meta, err := build.Finish()
	if err != nil {
		return nil, err
	}
	props := parquet.NewReaderProperties(mem)
	props.BufferedStreamEnabled, props.PageStreamingEnabled = true, true
	props.BufferSize = 4 << 10 // the gates have their own buffers
	props.MaxCompressedPageSize, props.MaxUncompressedPageSize = maxPage, maxPage
	reader, err := file.NewParquetReader(gates, file.WithReadProps(props), file.WithMetadata(meta))
	if err != nil {
		return nil, err
	}
	return reader.RowGroup(0), nil
}

// rangesAt reads ranges of a file and keeps the first error of its source.
type rangesAt struct {
	ctx  context.Context
	file tabular.File
	err  atomic.Pointer[error]
}

// ReadAt implements io.ReaderAt. It reads each range to its end, where the source reports whether the file is still the
// same version.
func (r *rangesAt) ReadAt(p []byte, at int64) (n int, err error) {
	if len(p) == 0 || at < 0 || at >= r.file.Size {
		return 0, io.EOF
	}
	short := at+int64(len(p)) > r.file.Size
	if short {
		p = p[:r.file.Size-at]
	}
	if n, err = r.read(p, at); err != nil {
		r.err.CompareAndSwap(nil, &err)
		return n, err
	}
	if short {
		err = io.EOF
	}
	return n, err
}

func (r *rangesAt) read(p []byte, at int64) (int, error) {
	body, err := r.file.Open(r.ctx, at, int64(len(p)))
	if err != nil {
		return 0, err
	}
	defer body.Close()
	n, err := io.ReadFull(body, p)
	if err != nil {
		return n, err
	}
	if _, err := body.Read(make([]byte, 1)); err != nil && err != io.EOF {
		return n, err
	}
	return n, nil
}
