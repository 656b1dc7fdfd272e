package csv

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"testing"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/input"
	"roster/internal/tabular/tabulartest"
)

func benchmarkCSV(b *testing.B, file []byte, columns []tabular.Column, opts tabular.Options) {
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(context.Background(), bytes.NewReader(file), columns, opts, func(int, *tabular.Batch) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCSV reads files of all types into Arrow columns.
func BenchmarkCSV(b *testing.B) {
	columns := slices.Clone(tabulartest.BenchColumns)
	columns[0].Primary = true // as in every audience
	for _, quotes := range []bool{false, true} {
		file := tabulartest.People(1_000_000, quotes)
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("quotes=%t/workers=%d", quotes, workers), func(b *testing.B) {
				benchmarkCSV(b, file, columns, tabular.Options{Workers: workers})
			})
		}
	}
}

// BenchmarkDialect reads the same rows in other dialects.
func BenchmarkDialect(b *testing.B) {
	plain, quoted := tabulartest.People(300_000, false), tabulartest.People(300_000, true)
	named := slices.Clone(tabulartest.BenchColumns)
	named[0].Primary = true
	for name, c := range map[string]struct {
		file    []byte
		columns []tabular.Column
		format  audience.Format
	}{
		"semicolons": {bytes.ReplaceAll(plain, []byte(","), []byte(";")), tabulartest.BenchColumns, audience.Format{}},
		"escapes":    {bytes.ReplaceAll(quoted, []byte("Grace "), []byte(`\"Grace\" `)), tabulartest.BenchColumns, audience.Format{}},
		"nulls":      {plain, named, audience.Format{NullValues: []string{"NULL", `\N`}}},
		"utf-16":     {[]byte(encode(binary.LittleEndian, "\ufeff"+string(plain))), tabulartest.BenchColumns, audience.Format{}},
	} {
		b.Run(name, func(b *testing.B) { benchmarkCSV(b, c.file, c.columns, tabular.Options{Workers: 1, Format: c.format}) })
	}
}

// BenchmarkColumn reads a file of one type, to see what each type costs.
func BenchmarkColumn(b *testing.B) {
	file := tabulartest.People(300_000, false)
	for i, c := range tabulartest.BenchColumns {
		b.Run(c.Name, func(b *testing.B) {
			benchmarkCSV(b, file, tabulartest.BenchColumns[i:i+1], tabular.Options{Workers: 1})
		})
	}
}

// BenchmarkChunks cuts files into chunks and does nothing with them.
func BenchmarkChunks(b *testing.B) {
	for _, quotes := range []bool{false, true} {
		file := tabulartest.People(300_000, quotes)
		b.Run(fmt.Sprintf("quotes=%t", quotes), func(b *testing.B) {
			b.SetBytes(int64(len(file)))
			for b.Loop() {
				c := newChunker(bytes.NewReader(file), tabular.DefaultChunk, standard)
				for {
					ch, err := c.next(context.Background())
					if err == io.EOF {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					c.Recycle(ch.Buf)
				}
			}
		})
	}
}

// BenchmarkParse parses one chunk again and again: what one goroutine can do, without reading. "split" wants no
// column at all.
func BenchmarkParse(b *testing.B) {
	for _, quotes := range []bool{false, true} {
		file := tabulartest.People(10_000, quotes)
		_, rows, _ := bytes.Cut(file, input.LineFeed)
		ch := chunk{Chunk: input.Chunk{Buf: append(make([]byte, 0, len(rows)+input.Spare), rows...), Size: len(rows)}, dialect: standard, quotes: quotes}
		for _, typed := range []bool{false, true} {
			layout := []int{-1, -1, -1, -1, -1, -1, -1, -1}
			columns := tabulartest.BenchColumns
			if typed {
				layout = []int{0, 1, 2, 3, 4, 5, 6, 7}
			} else {
				columns = nil
			}
			b.Run(fmt.Sprintf("quotes=%t/typed=%t", quotes, typed), func(b *testing.B) {
				p := newParser(columns, layout, audience.Format{}, nil)
				b.SetBytes(int64(len(rows)))
				b.ReportAllocs()
				for b.Loop() {
					if err := p.parse(ch, func(*tabular.Batch) error { return nil }); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
