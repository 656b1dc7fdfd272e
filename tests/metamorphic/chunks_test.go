package metamorphic

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/formats"
)

// cuts are ways to cut a file that must give the same result. The first one, a single chunk and one worker, is the
// reference.
var cuts = []tabular.Options{
	{Workers: 1, ChunkBytes: 64 << 20},
	{Workers: 8, ChunkBytes: 64 << 20},
	{Workers: 1, ChunkBytes: 64 << 10},
	{Workers: 8, ChunkBytes: 64 << 10},
	{Workers: 8, ChunkBytes: 1 << 10},
	{Workers: 3, ChunkBytes: 16},
}

// TestChunks reads files of every layout, whole and damaged, cut in several ways.
func TestChunks(t *testing.T) {
	t.Parallel()
	rows := history(rand.New(rand.NewPCG(*seed, 1)), 400, 1, false)[0]
	for _, l := range layouts() {
		for i, write := range l.writers {
			t.Run(fmt.Sprintf("%s/%d", l.name, i), func(t *testing.T) {
				t.Parallel()
				rnd := rand.New(rand.NewPCG(*seed, 2))
				text := write(rnd, rows)
				compareCuts(t, text, columnsOf(fields), l.format)
				for range 3 {
					if isParquet(text) {
						break // which damage is met first is random
					}
					compareCuts(t, damaged(rnd, text), columnsOf(fields), l.format)
				}
			})
		}
	}
}

// damaged returns the text with random changes: line ends, quotes and delimiters inserted or removed.
func damaged(rnd *rand.Rand, text []byte) []byte {
	text = bytes.Clone(text)
	for range 1 + rnd.IntN(5) {
		at := rnd.IntN(len(text))
		switch rnd.IntN(3) {
		case 0:
			text = slices.Delete(text, at, min(at+1+rnd.IntN(50), len(text)))
		case 1:
			text[at] = "\n\r\",;'\\{}[]\x00\xff"[rnd.IntN(13)]
		case 2:
			text = slices.Insert(text, at, []byte("\"\n\r,\\\x80")[rnd.IntN(6)])
		}
	}
	return text
}

// TestChunksOfCorpus reads the files of the corpus, cut in several ways. Missing fields do not matter.
func TestChunksOfCorpus(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "corpus", "testdata")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(filepath.Dir(path)) != "files" || strings.HasPrefix(filepath.Base(filepath.Dir(filepath.Dir(path))), "absurd") {
			return err
		}
		t.Run(strings.TrimPrefix(path, root+"/"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			compareCuts(t, text, []tabular.Column{{Name: "mail", Type: audience.String}, {Name: "name", Type: audience.String}, {Name: "points", Type: audience.Integer}, {Name: "seen", Type: audience.DateTime}}, nil)
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func columnsOf(fields []audience.Field) []tabular.Column {
	columns := make([]tabular.Column, len(fields))
	for i, f := range fields {
		columns[i] = tabular.Column{Name: f.Name, Type: f.Type, Primary: i == mailField, Required: i == mailField}
	}
	return columns
}

// compareCuts reads a file with every cut and compares the results.
func compareCuts(t *testing.T, text []byte, columns []tabular.Column, format *audience.Format) {
	t.Helper()
	want := ""
	for i, opts := range cuts {
		if format != nil {
			opts.Format = *format
		}
		got := readAll(t, text, columns, opts)
		if i == 0 {
			want = got
		} else if got != want {
			at := 0
			for at < min(len(got), len(want)) && got[at] == want[at] {
				at++
			}
			at = max(at-200, 0)
			t.Fatalf("%d workers and chunks of %d bytes read a file of %d bytes differently from one worker with one chunk:\n%.600s\nshould be\n%.600s", opts.Workers, opts.ChunkBytes, len(text), got[at:], want[at:])
		}
	}
}

// readAll reads a file and describes the complete result, or only the error.
func readAll(t *testing.T, text []byte, columns []tabular.Column, opts tabular.Options) string {
	t.Helper()
	var mu sync.Mutex
	type line struct {
		number int64
		text   string
	}
	var lines []line
	bytesRead := int64(0)
	file := tabular.File{Size: int64(len(text)), Open: func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		if length < 0 {
			length = int64(len(text)) - offset
		}
		return io.NopCloser(bytes.NewReader(text[offset : offset+length])), nil
	}}
	header, err := formats.Read(t.Context(), file, columns, opts, func(_ int, b *tabular.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		bytesRead += b.Bytes
		for i, n := range b.Lines {
			lines = append(lines, line{n, valuesOf(b.Record, i)})
		}
		for _, r := range b.Rejects {
			lines = append(lines, line{r.Line, fmt.Sprintf("reject %d lines at byte %d: %q %s %s %q", r.Lines, r.Offset, r.Column, r.Code, r.Reason, r.Raw)})
		}
		return nil
	})
	if err != nil {
		return err.Error()
	}
	slices.SortFunc(lines, func(a, b line) int { return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.text, b.text)) })
	var all strings.Builder
	fmt.Fprintf(&all, "%+v, %d bytes\n", header, bytesRead)
	for _, l := range lines {
		fmt.Fprintf(&all, "%d: %s\n", l.number, l.text)
	}
	return all.String()
}

func valuesOf(rec arrow.RecordBatch, i int) string {
	var values []string
	for _, col := range rec.Columns() {
		values = append(values, fmt.Sprintf("%q", col.ValueStr(i)))
	}
	return strings.Join(values, " ")
}
