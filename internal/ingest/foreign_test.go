package ingest_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
)

// commitElsewhere commits a snapshot with the same rows, like an engine that rewrites manifests. The summary has no
// entries of Roster. With expire, the engine also removes all earlier snapshots.
func (w *world) commitElsewhere(expire bool) {
	w.t.Helper()
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	d := w.dataset()
	place := strings.TrimPrefix(d.MetadataLocation(), "file://")
	text, err := os.ReadFile(place)
	must(err)
	var meta map[string]any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber() // ids have 64 bits
	must(dec.Decode(&meta))
	integer := func(v any) int64 {
		n, err := v.(json.Number).Int64()
		must(err)
		return n
	}
	var snap map[string]any
	for _, s := range meta["snapshots"].([]any) {
		if s := s.(map[string]any); integer(s["snapshot-id"]) == integer(meta["current-snapshot-id"]) {
			snap = map[string]any{}
			for name, value := range s {
				snap[name] = value
			}
		}
	}
	id, at := rand.Int64(), integer(meta["last-updated-ms"])+1
	snap["parent-snapshot-id"], snap["snapshot-id"], snap["timestamp-ms"] = snap["snapshot-id"], id, at
	snap["sequence-number"] = integer(meta["last-sequence-number"]) + 1
	snap["summary"] = map[string]any{"operation": "replace", "total-records": strconv.FormatInt(d.Rows(), 10), "total-position-deletes": "0"}
	if expire {
		meta["snapshots"], meta["snapshot-log"] = []any{}, []any{}
	}
	meta["snapshots"] = append(meta["snapshots"].([]any), snap)
	meta["snapshot-log"] = append(meta["snapshot-log"].([]any), map[string]any{"snapshot-id": id, "timestamp-ms": at})
	meta["current-snapshot-id"], meta["last-sequence-number"], meta["last-updated-ms"] = id, snap["sequence-number"], at
	meta["refs"] = map[string]any{"main": map[string]any{"snapshot-id": id, "type": "branch"}}
	text, err = json.Marshal(meta)
	must(err)
	next := filepath.Join(filepath.Dir(place), "99999-"+strconv.FormatInt(id, 10)+".metadata.json")
	must(os.WriteFile(next, text, 0o600))
	_, err = w.catalog.Exec(`UPDATE iceberg_tables SET metadata_location = ?`, "file://"+next)
	must(err)
}

// TestSnapshotOfAnotherProgram lets another program commit between two runs. The expiry of members must depend on the
// full run that renewed them, not on the run that added them.
func TestSnapshotOfAnotherProgram(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	first, ttl := w.now, w.aud.TTL()
	w.put("1.csv", "mail\na@x.org\nb@x.org\n")
	w.mustRun(true)
	w.now = first.Add(ttl - time.Hour)
	w.put("1.csv", "mail\na@x.org\nb@x.org\n")
	w.mustRun(true) // renews both members and does not change their rows
	w.now = first.Add(ttl + time.Hour)
	w.commitElsewhere(false)
	w.put("2.csv", "mail\nc@x.org\n")
	if r := w.run(false); r.Status != audience.Success || r.Result.Members != (audience.Members{Before: 2, After: 3}) {
		t.Fatalf("%+v %+v", r.Error, r.Result.Members)
	}

	known := w.aud
	w.commitElsewhere(true)
	w.put("3.csv", "mail\nd@x.org\n")
	w.aud.LastRun, w.aud.RefreshedAt = "", time.Time{}
	if r := w.run(false); r.Status != audience.Failed || r.Error.Code != audience.Impossible || !strings.Contains(r.Error.Message, "full run") {
		t.Errorf("after the removal of all snapshots of runs: %s %+v %+v", r.Status, r.Error, r.Result.Members)
	}
	w.aud = known // the metadata store has the time of the renewal
	if r := w.run(false); r.Status != audience.Success || r.Result.Members != (audience.Members{Before: 3, After: 4}) {
		t.Errorf("with what the metadata store has: %+v %+v", r.Error, r.Result.Members)
	}
}
