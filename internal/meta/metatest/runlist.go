package metatest

import (
	"fmt"
	"strconv"
	"time"

	"roster/internal/audience"
	"roster/internal/meta"
)

// sixRuns creates an audience with five runs that ended and one that goes on: two at each time.
func (w *world) sixRuns(name string) (audience.Audience, []audience.Run) {
	w.Helper()
	a := w.audience(name)
	var all []audience.Run
	for i := range 5 {
		r := w.start(a, at(10+i/2*10))
		status := audience.Success
		if i%2 == 1 {
			status = audience.Failed
		}
		all = append(all, w.end(r, status))
	}
	return a, append(all, w.start(a, at(30)))
}

func (w *world) seqs(a audience.Audience, q audience.RunQuery) ([]int64, int) {
	w.Helper()
	list, total, err := w.s.Runs(w.Context(), w.scope, a.ID, q)
	w.must(err)
	seqs := []int64{}
	for _, r := range list {
		seqs = append(seqs, r.Seq)
	}
	return seqs, total
}

func testRunList(w *world) {
	_, _, err := w.s.Runs(w.Context(), w.scope, "no", audience.RunQuery{Limit: 10})
	w.want(err, meta.ErrNotFound)
	empty := w.audience("empty")
	got, total := w.seqs(empty, audience.RunQuery{Limit: 10})
	equal(w, "no runs", len(got)+total, 0)

	a, all := w.sixRuns("a")
	w.start(empty, at(5))
	list, total, err := w.s.Runs(w.Context(), w.scope, a.ID, audience.RunQuery{Limit: 40})
	w.must(err)
	equal(w, "runs", list, all)
	equal(w, "total", total, 6)

	late := w.acquire(all[5], "one")
	late.Planned = []audience.PlannedFile{{Path: "f"}}
	w.update(func(tx meta.Tx) error { return tx.SaveRun(w.Context(), late, "one") })
	list, _, err = w.s.Runs(w.Context(), w.scope, a.ID, audience.RunQuery{Limit: 40})
	w.must(err)
	equal(w, "the manifest in a list", list[5].Planned, nil)

	for _, c := range []struct {
		name  string
		query audience.RunQuery
		want  []int64
	}{
		{"oldest first", audience.RunQuery{Limit: 40, SortBy: "createdAt"}, []int64{1, 2, 3, 4, 5, 6}},
		{"newest first", audience.RunQuery{Limit: 40, SortBy: "createdAt", Descending: true}, []int64{6, 5, 4, 3, 2, 1}},
		{"oldest first, after a run", audience.RunQuery{Limit: 2, SortBy: "createdAt", After: &audience.Position{At: all[1].CreatedAt, Seq: 2}}, []int64{3, 4}},
		{"newest first, after a run", audience.RunQuery{Limit: 2, SortBy: "createdAt", Descending: true, After: &audience.Position{At: all[4].CreatedAt, Seq: 5}}, []int64{4, 3}},
		{"by name, after a run", audience.RunQuery{Limit: 2, SortBy: "name", After: &audience.Position{At: all[4].CreatedAt, Seq: 5}}, []int64{6}},
		{"after the last run", audience.RunQuery{Limit: 2, SortBy: "createdAt", Descending: true, After: &audience.Position{At: all[0].CreatedAt, Seq: 1}}, []int64{}},
		{"by name", audience.RunQuery{Limit: 40, SortBy: "name"}, []int64{1, 2, 3, 4, 5, 6}},
		{"by name, descending", audience.RunQuery{Limit: 40, SortBy: "name", Descending: true}, []int64{6, 5, 4, 3, 2, 1}},
		{"a page", audience.RunQuery{Limit: 2, Offset: 1, SortBy: "createdAt", Descending: true}, []int64{5, 4}},
		{"past the end", audience.RunQuery{Limit: 2, Offset: 6}, []int64{}},
	} {
		got, total := w.seqs(a, c.query)
		equal(w, c.name, got, c.want)
		equal(w, c.name+": total", total, 6)
	}
}

func testRunFilters(w *world) {
	a, _ := w.sixRuns("50%_Off")
	second := func(s int) string { return strconv.FormatInt(at(s).Unix(), 10) }
	everything, nothing := []int64{1, 2, 3, 4, 5, 6}, []int64{}
	for _, c := range []struct {
		property, op, value string
		want                []int64
	}{
		{"status", "=", "SUCCESS", []int64{1, 3, 5}},
		{"status", "!=", "SUCCESS", []int64{2, 4, 6}},
		{"status", "=", "success", nothing},
		{"status", "!=", "nonsense", everything},
		{"status", "=contains", "CCESS", []int64{1, 3, 5}},
		{"status", "=contains", "ESS", []int64{1, 3, 5, 6}},
		{"status", "!=contains", "FAIL", []int64{1, 3, 5, 6}},
		{"name", "=", "50%_Off", everything},
		{"name", "=", "50%_off", nothing},
		{"name", "!=", "50%_Off", nothing},
		{"name", "!=", "x", everything},
		{"name", "=contains", "%_O", everything},
		{"name", "=contains", "0_", nothing},
		{"name", "=contains", "5%O", nothing},
		{"name", "=contains", "off", nothing},
		{"name", "!=contains", "off", everything},
		{"name", "=", "' OR '1'='1", nothing},
		{"createdAt", ">=", second(20), []int64{3, 4, 5, 6}},
		{"createdAt", ">", second(20), []int64{5, 6}},
		{"createdAt", "<=", second(20), []int64{1, 2, 3, 4}},
		{"createdAt", "<", second(20), []int64{1, 2}},
		{"createdAt", ">", second(19), []int64{3, 4, 5, 6}},
		{"createdAt", "<=", "9223372036854775807", everything},
		{"createdAt", ">", "-9223372036854775808", everything},
	} {
		q := audience.RunQuery{Limit: 40, Filters: []audience.RunFilter{{Property: c.property, Op: c.op, Value: c.value}}}
		got, total := w.seqs(a, q)
		equal(w, c.property+c.op+c.value, got, c.want)
		equal(w, c.property+c.op+c.value+": total", total, len(c.want))
	}

	both := audience.RunQuery{Limit: 1, Offset: 1, SortBy: "createdAt", Descending: true, Filters: []audience.RunFilter{
		{Property: "createdAt", Op: ">=", Value: second(20)}, {Property: "createdAt", Op: "<", Value: second(40)},
		{Property: "status", Op: "!=", Value: "FAILED"}, {Property: "name", Op: "=contains", Value: "Off"},
	}}
	got, total := w.seqs(a, both)
	equal(w, "all filters and a page", got, []int64{5})
	equal(w, "all filters: total", total, 3)

	for _, bad := range []audience.RunFilter{
		{Property: "reason", Op: "=", Value: "x"}, {Property: "name", Op: ">=", Value: "x"}, {Property: "status", Op: "<", Value: "x"},
		{Property: "createdAt", Op: "=", Value: "1"}, {Property: "createdAt", Op: ">=", Value: "yesterday"},
	} {
		if _, _, err := w.s.Runs(w.Context(), w.scope, a.ID, audience.RunQuery{Limit: 1, Filters: []audience.RunFilter{bad}}); err == nil {
			w.Fatalf("the filter %+v was accepted", bad)
		}
	}
}

func testReadObjects(w *world) {
	a, b := w.audience("a"), w.audience("b")
	read, err := w.s.ReadObjects(w.Context(), a.ID, nil)
	w.must(err)
	equal(w, "of nothing", len(read), 0)

	const files = 2_500 // several batches
	r := w.acquire(w.start(a, at(1)), "one")
	for i := range files {
		status := audience.FileRead
		if i == 7 {
			status = audience.FileUnsettled
		}
		r.Result.Files = append(r.Result.Files, fileResult(numbered("dir/f", i), "v1", status))
	}
	r.Result.Files = append(r.Result.Files, r.Result.Files[0]) // read is read
	r.Status = audience.Success
	w.update(func(tx meta.Tx) error { return tx.FinishRun(w.Context(), r, "one") })
	equal(w, "a run with many files", w.run(r), r)
	list, _, err := w.s.Runs(w.Context(), w.scope, a.ID, audience.RunQuery{Limit: 1, SortBy: "createdAt"})
	w.must(err)
	listed := r
	listed.Result.Files = nil
	equal(w, "the run in a list", list, []audience.Run{listed})

	ask := []audience.PlannedFile{{Path: "dir/caf\xe9", Version: "v1"}} // its name is none that can be kept; the others' are
	want := map[string]bool{}
	for i := range files {
		path := numbered("dir/f", i)
		ask = append(ask, audience.PlannedFile{Path: path, Version: "v1"}, audience.PlannedFile{Path: path, Version: "v2"})
		if i != 7 {
			want[path+"\x00v1"] = true
		}
	}
	read, err = w.s.ReadObjects(w.Context(), a.ID, ask)
	w.must(err)
	equal(w, "objects read", read, want)
	read, err = w.s.ReadObjects(w.Context(), b.ID, ask)
	w.must(err)
	equal(w, "objects that another audience read", len(read), 0)

	// A later run that reads some of them again, and a new version.
	next := w.acquire(w.start(a, at(2)), "one")
	next.Result.Files = []audience.FileResult{fileResult(numbered("dir/f", 1), "v1", audience.FileRead), fileResult(numbered("dir/f", 1), "v2", audience.FileRead)}
	next.Status = audience.Success
	w.update(func(tx meta.Tx) error { return tx.FinishRun(w.Context(), next, "one") })
	want[numbered("dir/f", 1)+"\x00v2"] = true
	read, err = w.s.ReadObjects(w.Context(), a.ID, ask)
	w.must(err)
	equal(w, "objects read by both runs", read, want)
}

func testRunsSince(w *world) {
	w.tenant()
	a, b := w.audience("a"), w.audience("b")
	var want []meta.RunStart
	for i, aud := range []audience.Audience{a, b} {
		run := w.start(aud, at(i+1))
		want = append(want, meta.RunStart{AudienceID: aud.ID, Request: run.Request, CreatedAt: run.CreatedAt})
	}
	w.update(func(tx meta.Tx) error { return tx.DeleteAudience(w.Context(), w.scope, a.ID) })
	for after, want := range map[int][]meta.RunStart{0: want, 1: want[1:], 2: nil} {
		got, err := w.s.RunsSince(w.Context(), w.scope, at(after))
		w.must(err)
		equal(w, fmt.Sprintf("runs since %d", after), got, want)
	}
	got, err := w.s.RunsSince(w.Context(), audience.Scope{Org: w.scope.Org, Sandbox: "dev"}, at(0))
	w.must(err)
	equal(w, "runs of another sandbox", got, nil)
}

func testLastIngested(w *world) {
	wants := func(what string, want any) {
		w.Helper()
		got, err := w.s.LastIngested(w.Context())
		if want, is := want.(error); is {
			w.want(err, want)
			return
		}
		w.must(err)
		equal(w, what, got, want.(time.Time))
	}
	wants("nothing", meta.ErrNotFound)
	a := w.audience("a")
	of := func(sec int, status audience.Status, change func(*audience.RunRequest)) audience.Run {
		r := w.start(a, at(sec), func(r *audience.Run) { change(&r.Request) })
		if status != audience.Processing {
			r = w.end(r, status)
		}
		return r
	}
	of(1, audience.Failed, func(*audience.RunRequest) {})
	of(2, audience.Success, func(r *audience.RunRequest) { r.DryRun = true })
	of(3, audience.Success, func(r *audience.RunRequest) { r.Kind = audience.RunExpire })
	wants("no rows of files", meta.ErrNotFound)
	first := of(4, audience.Success, func(r *audience.RunRequest) { r.Reason = `"DryRun":true,"Kind":"expire"` })
	wants("a run of files", first.EndedAt)
	of(5, audience.Success, func(r *audience.RunRequest) { r.Kind = audience.RunRollback })
	of(6, audience.Failed, func(*audience.RunRequest) {})
	wants("what came after", first.EndedAt)
	second := of(7, audience.Success, func(r *audience.RunRequest) { r.Kind = audience.RunResubmit })
	of(8, audience.Processing, func(*audience.RunRequest) {})
	wants("a corrected file", second.EndedAt)
}
