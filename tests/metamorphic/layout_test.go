package metamorphic

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"roster/internal/audience"
)

// writer writes rows as the content of a file.
type writer func(rnd *rand.Rand, rows []row) []byte

// layout is a way to write people to files.
type layout struct {
	name    string
	format  *audience.Format // that the audience has to declare
	writers []writer         // each file is written by one of them
}

// layouts are all ways to write people: one for each format, and one that mixes those that need no declaration.
func layouts() []layout {
	all := append(csvLayouts(), jsonLayout(), parquetLayout())
	mixed := layout{name: "mixed"}
	for _, l := range all {
		if l.format == nil {
			mixed.writers = append(mixed.writers, l.writers...)
		}
	}
	return append(all, mixed)
}

// compressions are ways to compress a text. The names of files do not show them.
var compressions = map[string]func(rnd *rand.Rand, text []byte) []byte{
	"plain": func(_ *rand.Rand, text []byte) []byte { return text },
	"gzip": func(rnd *rand.Rand, text []byte) []byte {
		return inParts(rnd, text, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	},
	"zstd": func(rnd *rand.Rand, text []byte) []byte {
		return inParts(rnd, text, func(w io.Writer) io.WriteCloser { return must(zstd.NewWriter(w)) })
	},
	"zip": func(_ *rand.Rand, text []byte) []byte {
		var out bytes.Buffer
		z := zip.NewWriter(&out)
		must(must(z.Create("people")).Write(text))
		if err := z.Close(); err != nil {
			panic(err)
		}
		return out.Bytes()
	},
}

// inParts compresses a text as two consecutive parts.
func inParts(rnd *rand.Rand, text []byte, open func(io.Writer) io.WriteCloser) []byte {
	var out bytes.Buffer
	cut := rnd.IntN(len(text) + 1)
	for _, part := range [][]byte{text[:cut], text[cut:]} {
		w := open(&out)
		must(w.Write(part))
		if err := w.Close(); err != nil {
			panic(err)
		}
	}
	return out.Bytes()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func isParquet(text []byte) bool { return bytes.HasPrefix(text, []byte("PAR1")) }

// write writes rows to several files of a folder. Their names begin with the prefix and keep the rows' order.
func (l layout) write(t *testing.T, rnd *rand.Rand, folder, prefix string, rows []row, files int, compression string) {
	t.Helper()
	files = min(files, len(rows))
	for i := range files {
		text := l.writers[rnd.IntN(len(l.writers))](rnd, rows[i*len(rows)/files:(i+1)*len(rows)/files])
		if !isParquet(text) {
			text = compressions[compression](rnd, text)
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%03d", prefix, i)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
