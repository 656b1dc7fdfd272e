package tabular

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
)

// Marks at both ends of a Parquet file.
const (
	parquetMagic     = "PAR1"
	parquetEncrypted = "PARE"
)

// isParquet reports whether a file that begins with head is Parquet. One that only begins as Parquet and is no text was
// cut off.
func isParquet(ctx context.Context, f File, head []byte) (bool, error) {
	if !bytes.HasPrefix(head, []byte(parquetMagic)) && !bytes.HasPrefix(head, []byte(parquetEncrypted)) {
		return false, nil
	}
	var tail [len(parquetMagic)]byte
	if f.Size >= 2*int64(len(tail)) {
		at := &rangesAt{ctx: ctx, file: f}
		if _, err := at.ReadAt(tail[:], f.Size-int64(len(tail))); err != nil {
			return false, unreadable(err)
		}
	}
	switch {
	case string(tail[:]) == parquetEncrypted:
		return false, parquetError("the Parquet file is encrypted; write it without encryption")
	case string(tail[:]) == parquetMagic:
		return true, nil
	case bytes.IndexByte(head, 0) >= 0 || len(head) == len(parquetMagic):
		return false, parquetError("the file begins as Parquet but has no footer at its end: it is cut off; upload it again, whole")
	}
	return false, nil
}

func parquetError(message string, args ...any) error {
	return &FileError{Code: "PARQUET", Message: fmt.Sprintf(message, args...)}
}

// parquetFile is an open Parquet file.
type parquetFile struct {
	*file.Reader
	source *rangesAt
	rows   int64        // of all row groups
	text   atomic.Int64 // bytes of text that were read
}

// A file is refused as a decompression bomb when it has so many rows or bytes of text, and so many times more than bytes.
const (
	bombRows  = 1 << 20
	bombText  = 1 << 30
	bombRatio = 1000
)

func bomb(of string) error {
	return parquetError("the Parquet file has more than %d times as many %s as bytes; it is refused as a decompression bomb", bombRatio, of)
}

const (
	// maxPage is how large a page may be, compressed or not. Some writers make one page of a column of a row group.
	maxPage = 256 << 20
	// streamMemory is shared by the buffers of the columns that are read at the same time.
	streamMemory         = 64 << 20
	minStream, maxStream = 64 << 10, 1 << 20
)

// openParquet reads a file's footer; streams is how many columns are read at the same time.
func openParquet(ctx context.Context, f File, streams int) (*parquetFile, error) {
	p := &parquetFile{source: &rangesAt{ctx: ctx, file: f}}
	props := parquet.NewReaderProperties(memory.DefaultAllocator)
	props.BufferedStreamEnabled, props.PageStreamingEnabled = true, true
	props.BufferSize = int64(min(max(streamMemory/max(streams, 1), minStream), maxStream))
	props.MaxCompressedPageSize, props.MaxUncompressedPageSize = maxPage, maxPage
	err := p.reading(func() (err error) {
		p.Reader, err = file.NewParquetReader(io.NewSectionReader(p.source, 0, f.Size), file.WithReadProps(props))
		if err == nil && p.MetaData().IsSetEncryptionAlgorithm() {
			err = parquetError("the Parquet file is encrypted; write it without encryption")
		}
		return err
	})
	return p, err
}

// reading calls what reads the file and names its error, or the panic of the library, which is of a damaged file.
func (p *parquetFile) reading(fn func() error) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("%v", panicked)
		}
		_, known := err.(*FileError)
		switch failed := p.source.err.Load(); {
		case failed != nil: // also where the library has not come to it yet
			err = &FileError{Code: "READ", Message: "reading the Parquet file failed", Err: *failed}
		case err != nil && !known:
			err = parquetError("the Parquet file is damaged (%.200s); write it again", err)
		}
	}()
	return fn()
}

// rangesAt reads ranges of a file and keeps the first error of its source.
type rangesAt struct {
	ctx  context.Context
	file File
	err  atomic.Pointer[error]
}

// ReadAt implements io.ReaderAt. It reads each range to its end, where the source says whether the file is still the
// same.
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
