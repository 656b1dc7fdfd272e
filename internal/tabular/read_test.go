package tabular

import (
	"io"
	"testing"

	"roster/internal/audience"
)

// readOnce reads a file with the given options.
func readOnce(r io.Reader, columns []Column, opts Options) result {
	return collectText(CSV, r, columns, opts)
}

// read reads a text in several ways, which must agree.
func read(t testing.TB, text string, columns []Column) result {
	t.Helper()
	out := readAs(t, text, columns, audience.Format{})
	if out.Err == "" && out.Header.Format.Encoding == "utf-8" && out.Bytes != int64(len(text)) {
		t.Fatalf("the batches stand for %d bytes of %d", out.Bytes, len(text))
	}
	return out
}

// readAs does what read does, of a text in a format.
func readAs(t testing.TB, text string, columns []Column, f audience.Format) result {
	t.Helper()
	return collectAs(t, CSV, text, columns, f)
}
