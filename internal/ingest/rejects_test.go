package ingest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"roster/internal/audience"
	"roster/internal/reject"
)

// rejected reads the stored rejects of a run, from the n-th on.
func (w *world) rejected(r audience.Run, from int64) (rows []audience.RejectedRow, total int64) {
	w.t.Helper()
	d, err := w.pipeline.Lake.Load(w.t.Context(), w.table)
	if err != nil {
		w.t.Fatal(err)
	}
	total, err = reject.Read(w.t.Context(), d, r.Result.RejectsPath, from, func(x audience.RejectedRow) error {
		rows = append(rows, x)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return rows, total
}

func TestRejectsAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.aud.KeepRejectedRows = true
	w.put("a.csv", "mail,city,points,gone\na@example.com,\"x\ny\",many,\nb@example.com,City,1,\n,City,2,\n")
	w.put("b.csv", "mail,city,points,gone\nc@example.com,1\n")
	r := w.mustRun(true)
	rows, total := w.rejected(r, 0)
	if total != 3 || len(rows) != 3 {
		t.Fatalf("%d of %d: %+v", len(rows), total, rows)
	}
	first := audience.RejectedRow{File: "a.csv", Version: r.Result.Files[0].Version, Line: 2, Lines: 2, Offset: 22, Column: "points", Code: "TYPE",
		Reason: rows[0].Reason, Raw: []byte("a@example.com,\"x\ny\",many,")}
	if fmt.Sprint(rows[0]) != fmt.Sprint(first) || !strings.Contains(rows[0].Reason, "from line 2 to line 3") {
		t.Errorf("%+v", rows[0])
	}
	if rows[1].Code != "IDENTITY" || rows[1].Line != 5 || rows[1].Column != "mail" || rows[2].File != "b.csv" || rows[2].Column != "" || rows[2].Code != "COLUMN_COUNT" {
		t.Errorf("%+v", rows[1:])
	}
	if tail, total := w.rejected(r, 2); total != 3 || len(tail) != 1 || tail[0].File != "b.csv" {
		t.Errorf("from the third on: %+v", tail)
	}
	if tail, total := w.rejected(r, 9); total != 3 || len(tail) != 0 {
		t.Errorf("from behind the end on: %+v", tail)
	}
}

func TestRejectsWithoutTheirText(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.put("a.csv", people(0, 3, 1))
	rows, _ := w.rejected(w.mustRun(true), 0)
	if len(rows) != 1 || rows[0].Raw != nil {
		t.Fatalf("%+v", rows)
	}
}

// TestRejectsOfManyRows has more rejects than fit in memory and in one row group. Several workers read the rows.
func TestRejectsOfManyRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	const n = 120_000
	w.put("a.csv", people(0, n+10, n))
	r := w.mustRun(true)
	rows, total := w.rejected(r, 0)
	if total != n || len(rows) != n {
		t.Fatalf("%d of %d", len(rows), total)
	}
	lines := make([]int64, n)
	for i, x := range rows {
		lines[i] = x.Line
	}
	slices.Sort(lines)
	for i, line := range lines {
		if line != int64(i+12) {
			t.Fatalf("the %d-th reject is of line %d", i, line)
		}
	}
	if tail, _ := w.rejected(r, n-3); len(tail) != 3 || tail[0].Line != rows[n-3].Line {
		t.Fatalf("%d rows from the third last on", len(tail))
	}
	stop := errors.New("enough")
	d, err := w.pipeline.Lake.Load(t.Context(), w.table)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reject.Read(t.Context(), d, r.Result.RejectsPath, 0, func(audience.RejectedRow) error { return stop }); !errors.Is(err, stop) {
		t.Fatal(err)
	}
}

func TestRejectsOfARunThatFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.aud.Guards = audience.Guards{}
	w.put("a.csv", people(0, 20, 5))
	r := w.run(true)
	if r.Status != audience.Failed || len(r.Result.Rejects) != 5 || r.Result.Rows.Read != 20 || r.Result.Rows.Rejected != 5 {
		t.Fatalf("%s %v %+v", r.Status, r.Error, r.Result)
	}
	if rows, total := w.rejected(r, 0); total != 5 || rows[0].Line != 17 {
		t.Fatalf("%d: %+v", total, rows)
	}
	if left := w.attemptFiles(r.ID); !slices.Equal(left, []string{"rejects.parquet", "rejects.parquet.sum"}) {
		t.Errorf("a failed run leaves %v", left)
	}
}

func TestResubmit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, defaultFields)
	w.aud.Source = audience.SourceSpec{Path: "people.csv", Type: audience.PathFile}
	w.put("people.csv", people(0, 20, 2))
	first := w.mustRun(true)
	w.put("corrected.part", "mail,city,points,gone\np18@example.com,City,18,\np19@example.com,City,x,\n")
	r := w.runAs(func(q *audience.RunRequest) {
		q.Kind, q.Of, q.File, q.Differential = audience.RunResubmit, first.ID, "corrected.part", true
	})
	if r.Status != audience.Success || r.Result.Rows != (audience.Rows{Read: 2, Rejected: 1, Added: 1}) || r.Result.Members.After != 19 {
		t.Fatalf("%s %v %+v", r.Status, r.Error, r.Result)
	}
	if len(r.Result.Files) != 1 || r.Result.Files[0].Path != "corrected.part" {
		t.Fatalf("%+v", r.Result.Files)
	}
}
