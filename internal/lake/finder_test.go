package lake_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"roster/internal/identity"
	"roster/internal/lake"
)

// TestFindMany finds rows in several slices of columns, row groups and files. The keys may be unevenly distributed, and
// the rows may be long.
func TestFindMany(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	r := rand.New(rand.NewPCG(3, 4))
	const rows = 9000
	var members []member
	for i := range uint64(rows) {
		k := i << 40 // all keys are close together
		if i%2 == 1 {
			k = i * (math.MaxUint64 / rows)
		}
		members = append(members, named(k, strings.Repeat("x", r.IntN(300))+fmt.Sprint(i)))
	}
	slices.SortFunc(members, func(a, b member) int { return bytes.Compare(a.id[:], b.id[:]) })
	d := w.load(t)
	f := write(t, d, "r1-a", 4000, members...)
	commit(t, d, lake.Commit{Run: "r1", Add: []lake.DataFile{f}})
	find := func(o lake.FindOptions, keys ...identity.Key) (lake.Found, error) {
		o.Columns = []string{"name"}
		return w.Find(t.Context(), w.table, keys, o)
	}
	for range 3 {
		var keys []identity.Key
		var want []string
		for range 50 {
			m := members[r.IntN(rows)]
			keys, want = append(keys, m.id), append(want, m.values[0].(string))
		}
		keys = append(keys, key(1), key(math.MaxUint64), identity.Key{})
		found, err := find(lake.FindOptions{}, keys...)
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range want {
			if row := found.At[i]; row < 0 || found.Rows.Column(0).ValueStr(row) != name {
				t.Fatalf("key %x is in row %d", keys[i], row)
			}
		}
		if !slices.Equal(found.At[50:52], []int{-1, -1}) || found.At[52] < 0 {
			t.Errorf("keys of nobody, and the first: %v", found.At[50:])
		}
	}
	if _, err := find(lake.FindOptions{Most: 10}, members[5].id, members[6].id, members[7].id); !errors.Is(err, lake.ErrTooMuch) {
		t.Error(err)
	}

	// The next snapshot is visible at once, with its deletes and its new file.
	changed := members[4500]
	changed.values = []any{"changed"}
	d = w.load(t)
	commit(t, d, lake.Commit{Run: "r2", Dir: "r2-a", Add: []lake.DataFile{write(t, d, "r2-a", 10, changed)},
		Deletes: map[string][]int64{f.Path: {4500, 4501}}})
	found, err := find(lake.FindOptions{}, changed.id, members[4501].id)
	if err != nil || found.At[0] != 0 || found.At[1] != -1 || found.Rows.Column(0).ValueStr(0) != "changed" {
		t.Errorf("%v %v", found.At, err)
	}
	if err := w.Drop(t.Context(), w.table); err != nil {
		t.Fatal(err)
	}
	if _, err := find(lake.FindOptions{}, changed.id); !errors.Is(err, lake.ErrNotExist) {
		t.Error(err)
	}
}

// TestFindManyDamaged reads a damaged file: the error names the file. After a repair the file can be read.
func TestFindManyDamaged(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	d := w.load(t)
	f := write(t, d, "r1-a", 9, named(1, "Ada"))
	commit(t, d, lake.Commit{Run: "r1", Add: []lake.DataFile{f}})
	path := strings.TrimPrefix(f.Path, "file://")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	put := func(content []byte) (lake.Found, error) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return w.Find(t.Context(), w.table, []identity.Key{key(1)}, lake.FindOptions{Columns: []string{"name"}})
	}
	broken := slices.Clone(whole)
	broken[len(broken)/2] ^= 1
	if _, err := put(broken); !errors.Is(err, lake.ErrDamaged) || strings.Contains(err.Error(), "Ada") {
		t.Error(err)
	}
	if found, err := put(whole); err != nil || found.Rows.Column(0).ValueStr(found.At[0]) != "Ada" {
		t.Error(err)
	}
}

// BenchmarkFinder finds 1, and 200 at once, of 1 Mi people with 8 columns.
func BenchmarkFinder(b *testing.B) {
	w := setup(b, peopleFields)
	d := w.load(b)
	batches := people(d.Schema(), 64)
	commit(b, d, lake.Commit{Run: "base", Add: []lake.DataFile{writeFile(b, d, "r-base", batches)}})
	keys := func(n int) (out []identity.Key) {
		for range n {
			rec := batches[rand.IntN(len(batches))]
			out = append(out, identity.Key(rec.Column(8).(*array.FixedSizeBinary).Value(rand.IntN(int(rec.NumRows())))))
		}
		return out
	}
	all := []string{"email", "name", "city", "birth", "score", "points", "opted_in", "last_seen"}
	measure := func(b *testing.B, find func()) {
		var took []time.Duration
		used := cpu()
		for b.Loop() {
			at := time.Now()
			find()
			took = append(took, time.Since(at))
		}
		b.ReportMetric((cpu()-used)/float64(len(took))*1e3, "cpu-ms")
		slices.Sort(took)
		b.ReportMetric(took[len(took)/2].Seconds()*1e3, "p50-ms")
		b.ReportMetric(took[len(took)*99/100].Seconds()*1e3, "p99-ms")
	}
	b.Run("dataset", func(b *testing.B) {
		measure(b, func() {
			if _, ok, err := w.load(b).Find(b.Context(), keys(1)[0]); !ok || err != nil {
				b.Fatal(ok, err)
			}
		})
	})
	for _, n := range []int{1, 200} {
		for _, cold := range []bool{true, false} {
			b.Run(fmt.Sprintf("finder/keys=%d/cold=%t", n, cold), func(b *testing.B) {
				measure(b, func() {
					if cold {
						w.Cool()
					}
					found, err := w.Find(b.Context(), w.table, keys(n), lake.FindOptions{Columns: all})
					if err != nil || slices.Contains(found.At, -1) {
						b.Fatal(found.At, err)
					}
				})
			})
		}
	}
}
