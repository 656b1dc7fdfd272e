package lake_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"roster/internal/audience"
	"roster/internal/lake"
)

// The first rows decide which columns have a dictionary, unless the caller decides.
func TestEncodings(t *testing.T) {
	t.Parallel()
	w := setup(t, []audience.Field{
		{Name: "email", Type: audience.String}, {Name: "city", Type: audience.String}, {Name: "points", Type: audience.Integer},
		{Name: "tier", Type: audience.Long}, {Name: "birth", Type: audience.Date}, {Name: "score", Type: audience.Number},
		{Name: "none", Type: audience.String}, {Name: "ok", Type: audience.Boolean}, {Name: "seen", Type: audience.DateTime},
	})
	d := w.load(t)
	var members []member
	for i := range 10000 {
		members = append(members, member{id: key(uint64(i)), row: int64(i) << 40, values: []any{
			fmt.Sprint("mail", i), fmt.Sprint("city", i%100), int32(i), int64(i % 3), arrow.Date32(i), float64(i), nil, true, arrow.Timestamp(i),
		}})
	}
	fw, err := d.NewFile("r1-a", lake.FileOptions{Dictionary: map[string]bool{"score": true}})
	if err != nil {
		t.Fatal(err)
	}
	if err := fw.Write(batch(t, d.Schema(), members)); err != nil {
		t.Fatal(err)
	}
	df, err := fw.Close()
	if err != nil {
		t.Fatal(err)
	}
	r, err := file.OpenParquetFile(strings.TrimPrefix(df.Path, "file://"), false)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	dictionary := []string{"city", "tier", "score", "none", "_roster_since", "_roster_seen", "_roster_run", "_roster_file"}
	delta := []string{"points", "birth", "seen", "_roster_line"}
	rg := r.MetaData().RowGroup(0)
	for i := range rg.NumColumns() {
		c, err := rg.ColumnChunk(i)
		if err != nil {
			t.Fatal(err)
		}
		name := c.PathInSchema().String()
		if c.HasDictionaryPage() != slices.Contains(dictionary, name) {
			t.Errorf("column %s has the encodings %v", name, c.Encodings())
		}
		if slices.Contains(c.Encodings(), parquet.Encodings.DeltaBinaryPacked) != slices.Contains(delta, name) {
			t.Errorf("column %s has the encodings %v", name, c.Encodings())
		}
		if ok, err := c.StatsSet(); err != nil || !ok {
			t.Errorf("column %s has no statistics", name)
		}
	}
}

// A row group ends when the caller ends it, and when it is full.
func TestRowGroups(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	d := w.load(t)
	members := make([]member, 1<<17+5)
	for i := range members {
		members[i] = named(uint64(i), "x")
	}
	df := write(t, d, "r1-a", 1<<17+2, members...)
	r, err := file.OpenParquetFile(strings.TrimPrefix(df.Path, "file://"), false)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rows []int64
	for g := range r.NumRowGroups() {
		rows = append(rows, r.MetaData().RowGroup(g).NumRows())
	}
	if !slices.Equal(rows, []int64{1 << 17, 2, 3}) {
		t.Errorf("row groups of %v rows", rows)
	}
	if df.Rows != int64(len(members)) {
		t.Errorf("%d rows", df.Rows)
	}
}

func TestWriteAnotherSchema(t *testing.T) {
	t.Parallel()
	d := setup(t, nameField).load(t)
	other := setup(t, peopleFields).load(t)
	fw, err := d.NewFile("r1-a")
	if err != nil {
		t.Fatal(err)
	}
	defer fw.Abort()
	if err := fw.Write(people(other.Schema(), 1)[0]); err == nil {
		t.Error("a batch with other columns was written")
	}
}
