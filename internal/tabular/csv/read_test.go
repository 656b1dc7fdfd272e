package csv

import (
	"io"
	"testing"

	"roster/internal/audience"
	"roster/internal/tabular"
	"roster/internal/tabular/tabulartest"
)

// readOnce reads a file with the given options.
func readOnce(r io.Reader, columns []tabular.Column, opts tabular.Options) tabulartest.Result {
	return tabulartest.CollectText(Read, r, columns, opts)
}

// read reads a text in several ways, which must agree.
func read(t testing.TB, text string, columns []tabular.Column) tabulartest.Result {
	t.Helper()
	out := readAs(t, text, columns, audience.Format{})
	if out.Err == "" && out.Header.Format.Encoding == "utf-8" && out.Bytes != int64(len(text)) {
		t.Fatalf("the batches stand for %d bytes of %d", out.Bytes, len(text))
	}
	return out
}

// readAs does what read does, of a text in a format.
func readAs(t testing.TB, text string, columns []tabular.Column, f audience.Format) tabulartest.Result {
	t.Helper()
	return tabulartest.CollectAs(t, Read, text, columns, f)
}
