package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/ingest"
	"roster/internal/lake"
	"roster/internal/profile"
)

// formerKey returns the key of an identity by the rule of earlier versions.
func formerKey(namespace, id string) identity.Key {
	former, same := identity.Former(namespace, []byte(id), nil)
	if same {
		former = identity.Normalise(namespace, []byte(id), nil)
	}
	return identity.KeyOf(namespace, former)
}

// changeList is a delta in memory.
type changeList []profile.Change

func (c *changeList) Parts() int                                              { return 1 }
func (c *changeList) Base() (profile.Pointer, bool)                           { return profile.Pointer{}, true }
func (c *changeList) Count() int64                                            { return int64(len(*c)) }
func (c *changeList) Close() error                                            { return nil }
func (c *changeList) Open(context.Context, int) (profile.ChangeReader, error) { return c, nil }
func (c *changeList) Next() (ch profile.Change, err error) {
	if len(*c) == 0 {
		return ch, io.EOF
	}
	ch, *c = (*c)[0], (*c)[1:]
	return ch, nil
}

// writtenFormerly writes people to the dataset and the profile store in the form of an earlier version of Roster. Each
// person has an e-mail address, a phone number, which may be "", and a name. seen contains the times of the runs.
func (w *world) writtenFormerly(people [][3]string, seen []time.Time) {
	t := w.t
	t.Helper()
	d, err := w.pipeline.Lake.Load(t.Context(), w.table)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		key identity.Key
		at  int
	}
	var rows []row
	var changes changeList
	for i, p := range people {
		key := formerKey("Email", p[0])
		rows = append(rows, row{key, i})
		for ns, id := range map[string]string{"Email": p[0], "Phone": p[1]} {
			if id != "" {
				changes = append(changes, profile.Change{Key: formerKey(ns, id), Member: key, Since: seen[i].Unix(), Seen: seen[i].Unix()})
			}
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return bytes.Compare(a.key[:], b.key[:]) })
	slices.SortFunc(changes, func(a, b profile.Change) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	b := array.NewRecordBuilder(memory.DefaultAllocator, d.Schema())
	for _, r := range rows {
		for i, v := range people[r.at] {
			if v == "" {
				b.Field(i).AppendNull()
			} else {
				b.Field(i).(*array.StringBuilder).Append(v)
			}
		}
		b.Field(3).(*array.FixedSizeBinaryBuilder).Append(r.key[:])
		b.Field(4).(*array.Int64Builder).Append(int64(r.at))
		for _, i := range []int{5, 6} {
			b.Field(i).(*array.TimestampBuilder).Append(arrow.Timestamp(seen[r.at].UnixMicro()))
		}
		b.Field(7).(*array.Int64Builder).Append(1)
		b.Field(8).(*array.Int32Builder).Append(0)
		b.Field(9).(*array.Int64Builder).Append(int64(r.at) + 2)
	}
	f, err := d.NewFile("former")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write(b.NewRecordBatch()); err != nil {
		t.Fatal(err)
	}
	file, err := f.Close()
	if err != nil {
		t.Fatal(err)
	}
	w.seq++
	if _, err := d.Commit(t.Context(), lake.Commit{Run: "former", Add: []lake.DataFile{file}, Dir: "former", Props: map[string]string{"roster.content-sum": "0", "roster.run-seq": fmt.Sprint(w.seq)}}); err != nil {
		t.Fatal(err)
	}
	pointer := profile.Pointer{Seq: w.seq, Run: "former"}
	ref := profile.Ref{Sandbox: w.spec(true).SandboxNum, Audience: w.aud.Num}
	if err := w.store.Apply(t.Context(), ref, pointer, &changes); err != nil {
		t.Fatal(err)
	}
}

var twoIdentities = []audience.Field{{Name: "mail", Type: audience.String, IdentityNs: "Email"}, {Name: "phone", Type: audience.String, IdentityNs: "Phone"}, {Name: "name", Type: audience.String}}

// knows counts the members that an identity finds by its present and its former key.
func (w *world) knows(key identity.Key) (realized int) {
	w.t.Helper()
	found, err := w.store.Lookup(w.t.Context(), w.spec(true).SandboxNum, []identity.Key{key})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range found[0] {
		if !m.Exited {
			realized++
		}
	}
	return realized
}

// TestRekey runs an audience that an earlier version of Roster wrote. Members keep their rows, their times and all
// their identities. Members who are the same person by the present rule become one member. No former key remains.
func TestRekey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoIdentities)
	old, recent := w.now.Add(-9*24*time.Hour), w.now.Add(-24*time.Hour)
	people := [][3]string{
		{"plain@x.org", "+1", "plain"},
		{"odd\u200b@x.org", "+2", "odd"},            // moves
		{"twin@x.org", "+3", "twin, earlier"},       // same person as the next one, who was seen later
		{"twin@x.org\u200b", "+4", "twin, later"},   //
		{"kept@x.org", "+5", "kept, later"},         // same person as the next one, who was seen earlier
		{"\ufeffkept@x.org", "+6", "kept, earlier"}, //
		{"Jose\u0301@x.org", "", "composed"},        //
		{"phone@x.org", "+7\u200b", "an odd phone"}, // only the further identity moves
		{"again\u00ad@x.org", "+8", "in the next file"},
		{"\u200b", "+9", "nobody any more"},
	}
	seen := []time.Time{recent, recent, old, recent, recent, old, recent, recent, recent, recent}
	w.writtenFormerly(people, seen)
	w.put("a.csv", "mail,phone,name\nAGAIN@x.org,+8,in the next file\nnew@x.org,,new\n")
	r := w.run(false)
	if r.Status != audience.Success || r.Result.Rows.Added != 1 || r.Result.Rows.Updated != 1 || r.Result.Members.After != 9 {
		t.Fatalf("%s %v %+v %+v", r.Status, r.Error, r.Result.Rows, r.Result.Members)
	}
	for ns, ids := range map[string]map[string]int{
		"Email": {"plain@x.org": 1, "odd@x.org": 1, "twin@x.org": 1, "kept@x.org": 1, "jos\u00e9@x.org": 1, "phone@x.org": 1, "again@x.org": 1, "new@x.org": 1},
		"Phone": {"+1": 1, "+2": 1, "+3": 0, "+4": 1, "+5": 1, "+6": 0, "+7": 1, "+8": 1, "+9": 1},
	} {
		for id, want := range ids {
			if got := w.knows(identity.KeyOf(ns, []byte(id))); got != want {
				t.Errorf("%s %s finds %d members, want %d", ns, id, got, want)
			}
		}
	}
	for _, p := range people[:len(people)-1] {
		for ns, id := range map[string]string{"Email": p[0], "Phone": p[1]} {
			if _, same := identity.Former(ns, []byte(id), nil); !same && w.knows(formerKey(ns, id)) > 0 {
				t.Errorf("%s %q is found by its former key", ns, id)
			}
		}
	}
	names := w.names(w.pipeline)
	want := []string{"an odd phone", "composed", "in the next file", "kept, later", "new", "nobody any more", "odd", "plain", "twin, later"}
	if !slices.Equal(slices.Sorted(maps.Keys(names)), want) || names["odd"] != recent.Unix() {
		t.Errorf("members %v", names)
	}
	if r := w.run(false); r.Status != audience.Success || r.Result.Members.After != 9 {
		t.Errorf("the next run: %s %v %+v", r.Status, r.Error, r.Result.Members)
	}
}

// names returns the time at which each member was last seen, by name.
func (w *world) names(p *ingest.Pipeline) map[string]int64 {
	w.t.Helper()
	d, err := p.Lake.Load(w.t.Context(), w.table)
	if err != nil {
		w.t.Fatal(err)
	}
	names := map[string]int64{}
	err = d.Scan(w.t.Context(), lake.ScanOptions{}, func(rec arrow.RecordBatch, _ lake.Position) error {
		for i := range int(rec.NumRows()) {
			names[strings.Clone(rec.Column(2).ValueStr(i))] = int64(rec.Column(6).(*array.Timestamp).Value(i)) / 1e6
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return names
}

// TestEraseFormer erases people whom an earlier version of Roster wrote. The search compares the values of the rows,
// also in the files of earlier versions.
func TestEraseFormer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoIdentities)
	w.writtenFormerly([][3]string{{"plain@x.org", "+1", "plain"}, {"odd\u200b@x.org", "+2", "odd"}}, []time.Time{w.now, w.now})
	key := identity.KeyOf("Email", []byte("odd@x.org"))
	keys := map[identity.Key]bool{key: true}
	live, err := w.pipeline.Live(t.Context(), w.table, &w.aud, keys)
	if err != nil || !live {
		t.Fatal(live, err)
	}
	spec := w.spec(false)
	spec.Run.Request.Kind, spec.Erase = audience.RunErase, keys
	r, err := w.pipeline.Run(t.Context(), spec)
	if err != nil || r.Status != audience.Success || r.Result.Members.Removed != 1 {
		t.Fatalf("%v %s %v %+v", err, r.Status, r.Error, r.Result.Members)
	}
	if live, err = w.pipeline.Live(t.Context(), w.table, &w.aud, keys); err != nil || live {
		t.Errorf("after the run: %v %v", live, err)
	}
	if removed, err := w.pipeline.Erased(t.Context(), w.table, r.ID, keys); err != nil || removed[key] != 1 {
		t.Errorf("the run removed %v, %v", removed, err)
	}
	for n, want := range []int{1, 0} {
		if plans, _ := w.purge(ingest.Person{Key: key, Values: [][]byte{[]byte("odd@x.org")}}); len(plans) != want || want == 1 && !plans[0].Found[key] {
			t.Errorf("purge %d: %+v", n, plans)
		}
	}
	for _, key := range []identity.Key{key, formerKey("Email", "odd\u200b@x.org"), identity.KeyOf("Phone", []byte("+2"))} {
		if w.knows(key) > 0 {
			t.Error("the profile store still finds who was erased")
		}
	}
	if w.knows(identity.KeyOf("Email", []byte("plain@x.org"))) != 1 {
		t.Error("somebody else is gone, too")
	}
}
