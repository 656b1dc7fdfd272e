package ingest_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"roster/internal/identity"
	"roster/internal/lake"
)

// addColumn adds a text column to the table, like another program.
func (w *world) addColumn(name string, id int) {
	w.t.Helper()
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	place := strings.TrimPrefix(w.dataset().MetadataLocation(), "file://")
	text, err := os.ReadFile(place)
	must(err)
	var meta map[string]any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber() // ids have 64 bits
	must(dec.Decode(&meta))
	schemas := meta["schemas"].([]any)
	fields := append([]any{}, schemas[0].(map[string]any)["fields"].([]any)...)
	fields = append(fields, map[string]any{"id": id, "name": name, "type": "string", "required": false})
	meta["schemas"] = append(schemas, map[string]any{"type": "struct", "schema-id": 1, "fields": fields})
	meta["current-schema-id"], meta["last-column-id"] = 1, id
	text, err = json.Marshal(meta)
	must(err)
	next := filepath.Join(filepath.Dir(place), "88888-other.metadata.json")
	must(os.WriteFile(next, text, 0o600))
	_, err = w.catalog.Exec(`UPDATE iceberg_tables SET metadata_location = ?`, "file://"+next)
	must(err)
}

// giveValues sets the value of each member in the column that was added last: the member's address with a suffix.
func (w *world) giveValues(mails ...string) {
	w.t.Helper()
	d := w.dataset()
	files, err := d.Rewrite(w.t.Context(), lake.RewriteOptions{Dir: "maintenance-0", Memory: 1 << 20, FileSize: 1 << 20})
	if err != nil || len(files) != 1 {
		w.t.Fatal(files, err)
	}
	var recs []arrow.RecordBatch
	for _, mail := range mails {
		rec, ok, err := d.Find(w.t.Context(), identity.KeyOf("Email", []byte(mail)))
		if err != nil || !ok {
			w.t.Fatal(mail, ok, err)
		}
		b := array.NewStringBuilder(memory.DefaultAllocator)
		b.Append(mail + " tagged")
		cols := append([]arrow.Array{}, rec.Columns()...)
		cols[len(cols)-1] = b.NewArray()
		recs = append(recs, array.NewRecordBatch(rec.Schema(), cols, 1))
	}
	id := func(r arrow.RecordBatch) []byte {
		return r.Column(r.Schema().FieldIndices(lake.ColID)[0]).(*array.FixedSizeBinary).Value(0)
	}
	for i := range recs {
		for j := range i {
			if bytes.Compare(id(recs[i]), id(recs[j])) < 0 {
				recs[i], recs[j] = recs[j], recs[i]
			}
		}
	}
	f, err := d.NewFile("other-0")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, rec := range recs {
		if err := f.Write(rec); err != nil {
			w.t.Fatal(err)
		}
	}
	df, err := f.Close()
	if err != nil {
		w.t.Fatal(err)
	}
	props := map[string]string{}
	if snap, ok := d.Current(); ok {
		props = snap.Props
	}
	if _, err := d.Commit(w.t.Context(), lake.Commit{Replace: true, Add: []lake.DataFile{df}, Dir: "other-0", Props: props}); err != nil {
		w.t.Fatal(err)
	}
}

// tags returns the values of members in that column.
func (w *world) tags(mails ...string) (out []string) {
	w.t.Helper()
	for _, mail := range mails {
		rec, ok, err := w.dataset().Find(w.t.Context(), identity.KeyOf("Email", []byte(mail)))
		if err != nil || !ok {
			w.t.Fatal(mail, ok, err)
		}
		out = append(out, rec.Column(int(rec.NumCols())-1).ValueStr(0))
	}
	return out
}

// TestColumnOfAnotherProgram lets another program add a column. The values stay with the members in all runs.
func TestColumnOfAnotherProgram(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("1.csv", "mail,city\na@x.org,A\nb@x.org,B\nc@x.org,C\n")
	w.mustRun(true)
	w.addColumn("tag", 100)
	w.giveValues("a@x.org", "b@x.org", "c@x.org")
	check := func(what string, want ...string) {
		t.Helper()
		if got := w.tags("a@x.org", "b@x.org", "c@x.org", "d@x.org"); !reflect.DeepEqual(got, want) {
			t.Errorf("after %s: %q", what, got)
		}
	}
	w.put("2.csv", "mail,city\nb@x.org,B\nc@x.org,changed\nd@x.org,new\n")
	w.mustRun(false)
	check("changes", "a@x.org tagged", "b@x.org tagged", "c@x.org tagged", "(null)")
	w.clear()
	w.put("3.csv", "mail,city\na@x.org,changed\nb@x.org,changed\nc@x.org,changed\nd@x.org,new\n")
	w.mustRun(true) // many changes, so the dataset is rewritten
	check("a full run", "a@x.org tagged", "b@x.org tagged", "c@x.org tagged", "(null)")
}
