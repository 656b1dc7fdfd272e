package tabular

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
)

const (
	defaultChunk = 1 << 20
	minChunk     = 64
)

// CSV reads comma-separated values (RFC 4180 and what people send; record.go says exactly what a record is). One
// goroutine cuts the file into chunks of whole records, others parse them into Arrow columns.
func CSV(ctx context.Context, r io.Reader, columns []Column, opts Options, emit Emit) (Header, error) {
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	if opts.ChunkBytes <= 0 {
		opts.ChunkBytes = defaultChunk
	}
	c := newChunker(r, max(opts.ChunkBytes, minChunk), 2*opts.Workers+2)
	names, err := readHeader(ctx, c)
	if err != nil {
		return Header{}, err
	}
	layout, header, err := match(names, columns)
	if err != nil {
		return Header{}, err
	}
	chunks := make(chan chunk, opts.Workers)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(chunks)
		for {
			next, err := c.next(ctx)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			select {
			case chunks <- next:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	for worker := range opts.Workers {
		g.Go(func() (err error) {
			defer func() {
				if p := recover(); p != nil { // a file must never end the process
					err = fmt.Errorf("tabular: panic: %v", p)
				}
			}()
			p := newParser(columns, layout)
			for ch := range chunks {
				if err := emit(worker, p.parse(ch)); err != nil {
					return err
				}
				c.recycle(ch.buf)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return Header{}, err
	}
	// A file of a header alone still stands for its bytes.
	if c.extra > 0 {
		b := newParser(columns, layout).parse(chunk{extra: c.extra})
		if err := emit(0, b); err != nil {
			return Header{}, err
		}
	}
	return header, nil
}

// readHeader reads the first record and leaves the chunker at the second.
func readHeader(ctx context.Context, c *chunker) ([]string, error) {
	ch, err := c.next(ctx)
	if err == io.EOF {
		return nil, &FileError{Code: "EMPTY_FILE", Message: "the file is empty; it needs a header line with the names of its columns"}
	}
	if err != nil {
		return nil, err
	}
	buf := ch.buf
	if bytes.HasPrefix(buf, []byte("\xff\xfe")) || bytes.HasPrefix(buf, []byte("\xfe\xff")) {
		return nil, &FileError{Code: "ENCODING", Message: "the file is UTF-16; save it as UTF-8"}
	}
	pos := len(buf) - len(bytes.TrimPrefix(buf, []byte("\xef\xbb\xbf")))
	line := int64(1)
	for pos < len(buf) && isLineEnd(buf[pos:]) {
		pos += bytes.IndexByte(buf[pos:], '\n') + 1
		line++
	}
	if pos == len(buf) {
		return nil, &FileError{Code: "NO_HEADER", Message: "the file has only empty lines; its first line must name the columns"}
	}
	var s splitter
	end := s.next(buf, pos, true)
	if s.malformed || s.unclosed {
		return nil, &FileError{Code: "NO_HEADER", Message: fmt.Sprintf("the header on line %d has a malformed quoted name", line)}
	}
	if len(s.fields) > maxColumns {
		return nil, &FileError{Code: "TOO_MANY_COLUMNS", Message: fmt.Sprintf("the header has %d columns; at most %d are possible", len(s.fields), maxColumns)}
	}
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = string(bytes.TrimSpace(f))
		if !utf8.ValidString(names[i]) {
			return nil, &FileError{Code: "ENCODING", Message: fmt.Sprintf("the name of column %d in the header is not valid UTF-8; save the file as UTF-8", i+1)}
		}
	}
	if bytes.IndexByte(buf, '\n') < 0 && bytes.IndexByte(buf[pos:], '\r') >= 0 {
		return nil, &FileError{Code: "NO_HEADER", Message: "the lines end with a carriage return alone; save the file with line feeds"}
	}
	c.rewind(ch, end)
	return names, nil
}

// isLineEnd reports whether b begins with a line end.
func isLineEnd(b []byte) bool {
	return b[0] == '\n' || (b[0] == '\r' && len(b) > 1 && b[1] == '\n')
}

// rewind gives the bytes of a chunk from end on back to the chunker.
func (c *chunker) rewind(ch chunk, end int) {
	c.rest = append(append(make([]byte, 0, len(ch.buf)-end+len(c.rest)), ch.buf[end:]...), c.rest...)
	c.line = 1 + int64(bytes.Count(ch.buf[:end], []byte{'\n'}))
	c.offset = int64(end)
	c.extra = int64(end)
}

// match finds the wanted columns in the header: layout says for each column of the file which wanted one it is,
// -1 for none.
func match(names []string, columns []Column) (layout []int, h Header, err error) {
	h.Names = names
	layout = make([]int, len(names))
	for i := range layout {
		layout[i] = -1
	}
	found := 0
	for want, col := range columns {
		at, err := find(names, layout, col.Name)
		if err != nil {
			return nil, h, err
		}
		if at < 0 {
			h.Missing = append(h.Missing, col.Name)
			continue
		}
		layout[at] = want
		found++
	}
	if found == 0 {
		return nil, h, &FileError{Code: "NO_HEADER", Message: "the first line names none of the audience's fields; the file needs a header line with the names of its columns"}
	}
	for _, col := range columns {
		if col.Required && slices.Contains(h.Missing, col.Name) {
			return nil, h, &FileError{Code: "MISSING_COLUMN", Message: fmt.Sprintf("the file has no column %q; its header names %s", col.Name, nameList(names))}
		}
	}
	for i, want := range layout {
		if want < 0 {
			h.Extra = append(h.Extra, names[i])
		}
	}
	return layout, h, nil
}

// find returns the place of a name, exactly first, then ignoring case and white space.
func find(names []string, layout []int, name string) (int, error) {
	for _, same := range []func(a, b string) bool{
		func(a, b string) bool { return a == b },
		func(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) },
	} {
		at := -1
		for i, n := range names {
			if layout[i] >= 0 || !same(n, name) {
				continue
			}
			if at >= 0 {
				return 0, &FileError{Code: "DUPLICATE_COLUMN", Message: fmt.Sprintf("the header names column %q twice, as columns %d and %d", name, at+1, i+1)}
			}
			at = i
		}
		if at >= 0 {
			return at, nil
		}
	}
	return -1, nil
}

// nameList quotes the first names of a header.
func nameList(names []string) string {
	const most = 20
	var quoted []string
	for _, n := range names[:min(len(names), most)] {
		quoted = append(quoted, fmt.Sprintf("%q", n))
	}
	text := strings.Join(quoted, ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return text
}

var _ Reader = CSV
