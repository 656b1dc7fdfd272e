package json

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"roster/internal/tabular"
	"roster/internal/tabular/tabulartest"
)

// BenchmarkJSON reads files of all types into Arrow columns.
func BenchmarkJSON(b *testing.B) {
	for _, array := range []bool{false, true} {
		file := tabulartest.JSONPeople(b, 200_000, array)
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("array=%t/workers=%d", array, workers), func(b *testing.B) {
				b.SetBytes(int64(len(file)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Read(context.Background(), bytes.NewReader(file), tabulartest.BenchColumns, tabular.Options{Workers: workers}, func(int, *tabular.Batch) error { return nil }); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkJSONScan cuts an array.
func BenchmarkJSONScan(b *testing.B) {
	file := tabulartest.JSONPeople(b, 20_000, true)[1:]
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		s := jsonScanner{array: true}
		if s.look(file); !s.closed {
			b.Fatal("the array does not end")
		}
	}
}
