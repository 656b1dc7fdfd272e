package lake_test

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/lake"
)

// model is the expected content of a table: its live members by key, and their places.
type model struct {
	live map[identity.Key]member
	at   map[identity.Key]place
}

type place struct {
	path string
	pos  int64
}

func (m *model) sorted() []member {
	var out []member
	for _, v := range m.live {
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b member) int { return bytes.Compare(a.id[:], b.id[:]) })
	return out
}

// anyKey generates keys from a small set on both sides of the sign bit, so runs often use the same members.
func anyKey() *rapid.Generator[identity.Key] {
	return rapid.Custom(func(t *rapid.T) identity.Key {
		k := key(rapid.Uint64Range(0, 15).Draw(t, "high")<<60 | rapid.Uint64Range(0, 7).Draw(t, "low"))
		k[15] = rapid.SampledFrom([]byte{0, 0x7f, 0x80, 0xff}).Draw(t, "last")
		return k
	})
}

// step commits a random run: it adds, changes and removes members, or replaces all of them.
func (m *model) step(t *rapid.T, tb testing.TB, w *world, run string) {
	d := w.load(tb)
	dir := run + "-a"
	c := lake.Commit{Run: audience.RunID(run), Dir: dir, Replace: rapid.IntRange(0, 4).Draw(t, "replace") == 0, Deletes: map[string][]int64{}}
	coming := rapid.SliceOfNDistinct(anyKey(), 0, 60, func(k identity.Key) identity.Key { return k }).Draw(t, "coming")
	slices.SortFunc(coming, func(a, b identity.Key) int { return bytes.Compare(a[:], b[:]) })
	if c.Replace {
		m.live, m.at = map[identity.Key]member{}, map[identity.Key]place{}
	} else {
		leaving := rapid.SliceOfN(anyKey(), 0, 20).Draw(t, "leaving")
		for _, k := range append(leaving, coming...) {
			if p, ok := m.at[k]; ok {
				c.Deletes[p.path] = append(c.Deletes[p.path], p.pos)
				delete(m.live, k)
				delete(m.at, k)
			}
		}
	}
	number := rapid.Int64()
	for part := range slices.Chunk(coming, rapid.IntRange(15, 60).Draw(t, "rows of a file")) {
		var rows []member
		for _, k := range part {
			rows = append(rows, member{k, number.Draw(t, "row"), number.Draw(t, "since"), number.Draw(t, "seen"), []any{fmt.Sprintf("%x", k)}})
		}
		f := write(tb, d, dir, rapid.IntRange(1, 20).Draw(t, "rows of a group"), rows...)
		c.Add = append(c.Add, f)
		for i, r := range rows {
			r.values = nil
			m.live[r.id], m.at[r.id] = r, place{f.Path, int64(i)}
		}
	}
	commit(tb, d, c)
}

// After any sequence of runs the table equals a map, and any range equals a filter of the map, in order.
func TestStateIsTheModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := setup(t, nameField)
		m := &model{live: map[identity.Key]member{}, at: map[identity.Key]place{}}
		for i := range rapid.IntRange(1, 5).Draw(rt, "runs") {
			m.step(rt, t, w, fmt.Sprint("r", i))
			checkFind(rt, t, m, w, rapid.SliceOfN(anyKey(), 0, 40).Draw(rt, "sought"))
		}
		d := w.load(t)
		want := m.sorted()
		if d.Rows() != int64(len(want)) || len(scan(t, d)) != len(want) {
			rt.Fatalf("%d rows, %d are read, %d should be", d.Rows(), len(scan(t, d)), len(want))
		}
		s, err := d.OpenState(t.Context(), lake.StateOptions{Identities: []string{"name"}, Cache: rapid.SampledFrom([]int{0, 1, 1500}).Draw(rt, "cache")})
		if err != nil {
			rt.Fatal(err)
		}
		c := s.Cursor()
		defer c.Close()
		for range rapid.IntRange(1, 6).Draw(rt, "ranges") {
			lo := rapid.OneOf(rapid.Just(identity.Key{}), anyKey()).Draw(rt, "lo")
			hi := rapid.Ptr(anyKey(), true).Draw(rt, "hi")
			checkRange(rt, m, s, c, want, lo, hi)
		}
	})
}

// checkFind looks up keys in the current table.
func checkFind(t *rapid.T, tb testing.TB, m *model, w *world, keys []identity.Key) {
	found, err := w.Find(tb.Context(), w.table, keys, lake.FindOptions{Columns: []string{"name"}})
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range keys {
		row := found.At[i]
		if _, live := m.live[k]; live != (row >= 0) {
			t.Fatalf("%x is found in row %d; a member: %t", k, row, live)
		}
		if row >= 0 && found.Rows.Column(0).ValueStr(row) != fmt.Sprintf("%x", k) {
			t.Fatalf("%x has the name %q", k, found.Rows.Column(0).ValueStr(row))
		}
	}
}

func checkRange(t *rapid.T, m *model, s *lake.State, c *lake.StateCursor, all []member, lo identity.Key, hi *identity.Key) {
	rows, err := c.Range(lo, hi)
	if err != nil {
		t.Fatal(err)
	}
	var want []member
	for _, v := range all {
		if bytes.Compare(v.id[:], lo[:]) >= 0 && (hi == nil || bytes.Compare(v.id[:], hi[:]) < 0) {
			want = append(want, v)
		}
	}
	if got := membersOf(rows); !reflect.DeepEqual(got, want) {
		t.Fatalf("%x to %x: got %v, want %v", lo, hi, got, want)
	}
	for i, id := range rows.IDs {
		if p := (place{s.Files()[rows.File[i]].Path, rows.Pos[i]}); p != m.at[id] {
			t.Fatalf("%x lies at %v, not at %v", id, m.at[id], p)
		}
		if col, at := rows.Identity(0, i); col.ValueStr(at) != fmt.Sprintf("%x", id) {
			t.Fatalf("%x has the identity %q", id, col.ValueStr(at))
		}
	}
}

// Several workers read disjoint ranges of one state in parallel. Together the ranges contain all rows.
func TestCursorsInParallel(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	const files, rows, workers = 8, 500, 4
	want := 0
	for f := range files {
		d := w.load(t)
		members := make([]member, rows)
		for i := range members {
			members[i] = named(uint64(i*files+f)*(math.MaxUint64/(files*rows)), "x")
		}
		df := write(t, d, fmt.Sprintf("r%d-a", f), 64, members...)
		commit(t, d, lake.Commit{Run: audience.RunID(fmt.Sprint("r", f)), Add: []lake.DataFile{df}})
		d = w.load(t)
		commit(t, d, lake.Commit{Run: audience.RunID(fmt.Sprint("s", f)), Dir: fmt.Sprintf("s%d-a", f), Deletes: map[string][]int64{df.Path: {int64(f)}}})
		want += rows - 1
	}
	s, err := w.load(t).OpenState(t.Context(), lake.StateOptions{Identities: []string{"name"}})
	if err != nil {
		t.Fatal(err)
	}
	parts := make([][]member, 64)
	var wg sync.WaitGroup
	for n := range workers {
		wg.Go(func() {
			c := s.Cursor()
			defer c.Close()
			for p := n * len(parts) / workers; p < (n+1)*len(parts)/workers; p++ {
				lo := key(uint64(p) << 58)
				hi := new(identity.Key)
				if *hi = key(uint64(p+1) << 58); p == len(parts)-1 {
					hi = nil
				}
				rows, err := c.Range(lo, hi)
				if err != nil {
					t.Error(err)
					return
				}
				parts[p] = membersOf(rows)
			}
		})
	}
	wg.Wait()
	if all := slices.Concat(parts...); len(all) != want || !reflect.DeepEqual(all, state(t, w.load(t))) {
		t.Errorf("%d rows instead of %d", len(all), want)
	}
}

// A state does not change when later runs change the table.
func TestStateOfAnOldSnapshot(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	d := w.load(t)
	f := write(t, d, "r1-a", 9, named(1, "Ada"), named(2, "Grace"))
	commit(t, d, lake.Commit{Run: "r1", Add: []lake.DataFile{f}})
	old := w.load(t)
	commit(t, w.load(t), lake.Commit{Run: "r2", Dir: "r2-a", Deletes: map[string][]int64{f.Path: {0}}})
	commit(t, w.load(t), lake.Commit{Run: "r3", Replace: true})
	if got := state(t, old); len(got) != 2 {
		t.Error(got)
	}
}

// Rows in the wrong order, which another program may write, are rejected. Otherwise the merge would be wrong without an
// error.
func TestStateThatIsNotSorted(t *testing.T) {
	t.Parallel()
	for name, group := range map[string]int{"in a row group": 9, "between row groups": 1} {
		w := setup(t, nameField)
		d := w.load(t)
		commit(t, d, lake.Commit{Run: "r1", Add: []lake.DataFile{write(t, d, "r1-a", group, named(2, "Grace"), named(1, "Ada"))}})
		s, err := w.load(t).OpenState(t.Context(), lake.StateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Cursor().Range(identity.Key{}, nil); err == nil || !strings.Contains(err.Error(), "not sorted") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStateWithoutThatIdentity(t *testing.T) {
	t.Parallel()
	w := setup(t, nameField)
	d := w.load(t)
	commit(t, d, lake.Commit{Run: "r1", Add: []lake.DataFile{write(t, d, "r1-a", 9, named(1, "Ada"))}})
	s, err := w.load(t).OpenState(t.Context(), lake.StateOptions{Identities: []string{"email"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Cursor().Range(identity.Key{}, nil); err == nil {
		t.Error("a column that is not there was read")
	}
}
