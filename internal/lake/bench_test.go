package lake_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/lake"
)

var peopleFields = []audience.Field{
	{Name: "email", Type: audience.String}, {Name: "name", Type: audience.String}, {Name: "city", Type: audience.String},
	{Name: "birth", Type: audience.Date}, {Name: "score", Type: audience.Number}, {Name: "points", Type: audience.Integer},
	{Name: "opted_in", Type: audience.Boolean}, {Name: "last_seen", Type: audience.DateTime},
}

const benchBatch = 16 << 10

// people returns batches of typical people in key order, like those that a run writes.
func people(schema *arrow.Schema, batches int) []arrow.RecordBatch {
	r := rand.New(rand.NewPCG(1, 2))
	first := []string{"Ada", "Grace", "Edsger", "Barbara", "Donald", "Frances", "Niklaus", "Margaret", "Tony", "Radia"}
	last := make([]string, 1000)
	for i := range last {
		last[i] = fmt.Sprintf("%c%s", 'A'+r.IntN(26), fmt.Sprintf("%x", r.IntN(1<<24)))
	}
	city := make([]string, 2000)
	for i := range city {
		city[i] = fmt.Sprintf("City of %x", r.IntN(1<<20))
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	out := make([]arrow.RecordBatch, batches)
	row := 0
	for n := range out {
		for range benchBatch {
			f, l := first[r.IntN(len(first))], last[r.IntN(len(last))]
			b.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("%s.%s%d@example.com", f, l, r.IntN(1e6)))
			b.Field(1).(*array.StringBuilder).Append(f + " " + l)
			b.Field(2).(*array.StringBuilder).Append(city[r.IntN(len(city))])
			b.Field(3).(*array.Date32Builder).Append(arrow.Date32(r.IntN(25000)))
			b.Field(4).(*array.Float64Builder).Append(float64(r.IntN(1e6)) / 1e4)
			b.Field(5).(*array.Int32Builder).Append(int32(r.IntN(10000)))
			b.Field(6).(*array.BooleanBuilder).Append(r.IntN(2) == 0)
			b.Field(7).(*array.TimestampBuilder).Append(arrow.Timestamp(1.7e15 + 1e6*float64(r.IntN(5e7))))
			key := benchKey(row)
			binary.BigEndian.PutUint64(key[8:], r.Uint64())
			b.Field(8).(*array.FixedSizeBinaryBuilder).Append(key[:])
			b.Field(9).(*array.Int64Builder).Append(int64(r.Uint64()))
			b.Field(10).(*array.TimestampBuilder).Append(1.8e15)
			b.Field(11).(*array.TimestampBuilder).Append(1.8e15)
			b.Field(12).(*array.Int64Builder).Append(7)
			b.Field(13).(*array.Int32Builder).Append(0)
			b.Field(14).(*array.Int64Builder).Append(int64(r.IntN(batches * benchBatch)))
			row++
		}
		out[n] = b.NewRecordBatch()
	}
	return out
}

// benchKey returns the smallest possible key of row n.
func benchKey(n int) (k identity.Key) {
	binary.BigEndian.PutUint64(k[:], uint64(n)<<40)
	return k
}

// cpu returns the processor time of the process in seconds.
func cpu() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkWrite writes 1 Mi people with 8 columns to one data file.
func BenchmarkWrite(b *testing.B) {
	w := setup(b, peopleFields)
	d := w.load(b)
	batches := people(d.Schema(), 64)
	size := int64(0)
	for _, rec := range batches {
		for _, c := range rec.Columns() {
			size += int64(c.Data().SizeInBytes())
		}
	}
	b.SetBytes(size)
	b.ReportAllocs()
	b.ResetTimer()
	start := cpu()
	var f lake.DataFile
	for i := range b.N {
		f = writeFile(b, d, fmt.Sprint("r-", i), batches)
	}
	b.ReportMetric((cpu()-start)/float64(b.N), "cpu-s/op")
	b.ReportMetric(float64(f.Bytes)/1e6, "file-MB")
}

func writeFile(tb testing.TB, d *lake.Dataset, dir string, batches []arrow.RecordBatch) lake.DataFile {
	tb.Helper()
	fw, err := d.NewFile(dir)
	if err != nil {
		tb.Fatal(err)
	}
	for i, rec := range batches {
		if err := fw.Write(rec); err != nil {
			tb.Fatal(err)
		}
		if i%4 == 3 {
			fw.EndRowGroup()
		}
	}
	f, err := fw.Close()
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// BenchmarkRange reads the state of 1 Mi people in 256 ascending ranges, like a merge. Eight differential runs have
// left several versions of rows.
func BenchmarkRange(b *testing.B) {
	for _, runs := range []int{0, 8} {
		b.Run(fmt.Sprintf("after %d runs", runs), func(b *testing.B) {
			const rows = 64 * benchBatch
			w := setup(b, peopleFields)
			d := w.load(b)
			batches := people(d.Schema(), 64)
			base := writeFile(b, d, "r-base", batches)
			commit(b, d, lake.Commit{Run: "base", Add: []lake.DataFile{base}})
			for n := range runs {
				d := w.load(b)
				dir := fmt.Sprint("r-", n)
				var again []arrow.RecordBatch
				retired := map[string][]int64{}
				for i := n; i < rows; i += 64 {
					retired[base.Path] = append(retired[base.Path], int64(i))
					again = append(again, batches[i/benchBatch].NewSlice(int64(i%benchBatch), int64(i%benchBatch+1)))
				}
				f := writeFile(b, d, dir, []arrow.RecordBatch{concatenate(b, again)})
				commit(b, d, lake.Commit{Run: audience.RunID(dir), Dir: dir, Add: []lake.DataFile{f}, Deletes: retired})
			}
			d = w.load(b)
			b.ReportAllocs()
			b.ResetTimer()
			start := cpu()
			for range b.N {
				s, err := d.OpenState(b.Context(), lake.StateOptions{})
				if err != nil {
					b.Fatal(err)
				}
				c := s.Cursor()
				got := 0
				for i := range 256 {
					lo, hi := benchKey(i*rows/256), benchKey((i+1)*rows/256)
					r, err := c.Range(lo, &hi)
					if err != nil {
						b.Fatal(err)
					}
					got += len(r.IDs)
				}
				if got != rows {
					b.Fatal(got)
				}
			}
			b.ReportMetric((cpu()-start)/float64(b.N), "cpu-s/op")
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}

func concatenate(b *testing.B, records []arrow.RecordBatch) arrow.RecordBatch {
	schema := records[0].Schema()
	columns := make([]arrow.Array, schema.NumFields())
	for i := range columns {
		var parts []arrow.Array
		for _, rec := range records {
			parts = append(parts, rec.Column(i))
		}
		var err error
		if columns[i], err = array.Concatenate(parts, memory.DefaultAllocator); err != nil {
			b.Fatal(err)
		}
	}
	return array.NewRecordBatch(schema, columns, -1)
}

// million returns a table of about a million people in eight files, with 3 % deleted rows.
func million(b *testing.B) *lake.Dataset {
	b.Helper()
	w := setup(b, peopleFields)
	d := w.load(b)
	batches := people(d.Schema(), 64)
	c := lake.Commit{Run: "r1", Dir: "r1-a"}
	gone := map[string][]int64{}
	for n := range 8 {
		f, err := d.NewFile("r1-a")
		if err != nil {
			b.Fatal(err)
		}
		for i := n; i < len(batches); i += 8 {
			if err := f.Write(batches[i]); err != nil {
				b.Fatal(err)
			}
			if i%4 == 3 {
				f.EndRowGroup()
			}
		}
		file, err := f.Close()
		if err != nil {
			b.Fatal(err)
		}
		c.Add = append(c.Add, file)
		for pos := int64(n); pos < file.Rows; pos += 32 {
			gone[file.Path] = append(gone[file.Path], pos)
		}
	}
	commit(b, d, c)
	commit(b, w.load(b), lake.Commit{Run: "r2", Dir: "r2-a", Deletes: gone})
	return w.load(b)
}

func BenchmarkScan(b *testing.B) {
	d := million(b)
	for b.Loop() {
		if err := d.Scan(b.Context(), lake.ScanOptions{}, func(arrow.RecordBatch, lake.Position) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(d.Rows())*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkFind(b *testing.B) {
	d := million(b)
	n := 0
	for b.Loop() {
		n += 7919
		if _, _, err := d.Find(b.Context(), benchKey(n%1_000_000)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRewrite(b *testing.B) {
	d := million(b)
	n := 0
	for b.Loop() {
		n++
		if _, err := d.Rewrite(b.Context(), lake.RewriteOptions{Dir: lake.MaintenanceDir(fmt.Sprint(n)), Memory: 512 << 20, FileSize: 128 << 20}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(d.Rows())*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
