package tabular

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// jsonPeople are people as JSON objects: on lines, or in an array on one line.
func jsonPeople(tb testing.TB, n int, array bool) []byte {
	records, err := csv.NewReader(bytes.NewReader(people(n, false))).ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	var b bytes.Buffer
	for i, record := range records[1:] {
		separator := byte('\n')
		switch {
		case array && i == 0:
			separator = '['
		case array:
			separator = ','
		}
		b.WriteByte(separator)
		for j, name := range records[0] {
			v := record[j]
			if !slices.Contains([]string{"id", "age", "amount"}, name) {
				quoted, err := json.Marshal(v)
				if err != nil {
					tb.Fatal(err)
				}
				v = string(quoted)
			}
			fmt.Fprintf(&b, "%c%q:%s", "{,"[min(j, 1)], name, v)
		}
		b.WriteByte('}')
	}
	if array {
		b.WriteByte(']')
	}
	return b.Bytes()
}

// BenchmarkJSON reads files of all types into Arrow columns.
func BenchmarkJSON(b *testing.B) {
	for _, array := range []bool{false, true} {
		file := jsonPeople(b, 200_000, array)
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("array=%t/workers=%d", array, workers), func(b *testing.B) {
				b.SetBytes(int64(len(file)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := JSON(context.Background(), bytes.NewReader(file), benchColumns, Options{Workers: workers}, func(int, *Batch) error { return nil }); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkJSONScan cuts an array.
func BenchmarkJSONScan(b *testing.B) {
	file := jsonPeople(b, 20_000, true)[1:]
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		s := jsonScanner{array: true}
		if s.look(file); !s.closed {
			b.Fatal("the array does not end")
		}
	}
}
