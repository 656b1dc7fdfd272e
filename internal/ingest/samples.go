package ingest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/lake"
)

// Kinds of changes in the report of a dry run.
const (
	changeAdded   = "added"
	changeUpdated = "updated"
	changeDeleted = "deleted"
)

// samplesOfKind is the number of changes of each kind that a dry run shows.
const samplesOfKind = 20

// samples contains the first changes of each kind in a range of keys. Keys are hashes, so the first changes are a
// random sample. A nil *samples ignores all changes.
type samples struct {
	byKind map[string][]row
}

func newSamples() *samples { return &samples{byKind: map[string][]row{}} }

// add adds a change that row r makes.
func (s *samples) add(kind string, r row) {
	if s != nil && len(s.byKind[kind]) < samplesOfKind {
		s.byKind[kind] = append(s.byKind[kind], r)
	}
}

// changeSamples combines the samples of all ranges, sorted by kind, file and line.
func changeSamples(all []*tally, files []audience.PlannedFile) (list []audience.ChangeSample) {
	for _, kind := range []string{changeAdded, changeUpdated, changeDeleted} {
		for _, r := range firstOfKind(all, kind, func(a, b row) int { return cmp.Compare(a.order, b.order) }) {
			list = append(list, audience.ChangeSample{Change: kind, File: files[r.file()].Path, Line: r.line()})
		}
	}
	return list
}

// firstOfKind returns the first samples of one kind from all ranges.
func firstOfKind(all []*tally, kind string, compare func(a, b row) int) (rows []row) {
	for _, t := range all {
		rows = append(rows, t.samples.byKind[kind]...)
	}
	slices.SortFunc(rows, compare)
	return rows[:min(len(rows), samplesOfKind)]
}

// originSamples returns the first members of each kind, in key order, that a rollback would restore or change. Each
// sample contains the file and line from which the version's row came.
func originSamples(ctx context.Context, version *lake.Dataset, all []*tally) (list []audience.ChangeSample, err error) {
	read := map[int64][]audience.FileResult{} // by sequence number of the run
	for _, kind := range []string{changeAdded, changeUpdated} {
		for _, r := range firstOfKind(all, kind, compareRows) {
			sample := audience.ChangeSample{Change: kind}
			if sample.File, sample.Line, err = originOf(ctx, version, r.key(), read); err != nil {
				return nil, fmt.Errorf("find a member of the version: %w", err)
			}
			list = append(list, sample)
		}
	}
	return list, nil
}

// goneFile is shown instead of a file whose run is no longer known.
const goneFile = "a file of an earlier run"

// originOf returns the file and line from which a member of a version came. read contains the files of the known runs.
func originOf(ctx context.Context, version *lake.Dataset, key identity.Key, read map[int64][]audience.FileResult) (file string, line int64, err error) {
	rec, ok, err := version.Find(ctx, key)
	if err != nil {
		return "", 0, err
	}
	if !ok {
		return "", 0, errors.New("it is not in the dataset")
	}
	defer rec.Release()
	column := func(name string) arrow.Array { return rec.Column(rec.Schema().FieldIndices(name)[0]) }
	run, n := column(lake.ColRun).(*array.Int64).Value(0), int(column(lake.ColFile).(*array.Int32).Value(0))
	if _, ok := read[run]; !ok {
		if read[run], err = filesOf(version, run); err != nil {
			return "", 0, err
		}
	}
	if n < 0 || n >= len(read[run]) {
		return goneFile, 0, nil
	}
	return read[run][n].Path, column(lake.ColLine).(*array.Int64).Value(0), nil
}

// filesOf returns the files that the run with the sequence number read. It returns nil if the run's snapshot is gone or
// does not name the files.
func filesOf(d *lake.Dataset, run int64) (files []audience.FileResult, err error) {
	number := strconv.FormatInt(run, 10)
	if d, err = d.WithHistory(context.Background()); err != nil {
		return nil, err
	}
	for _, snap := range d.Snapshots() {
		if snap.Props[propSeq] != number {
			continue
		}
		if text := snap.Props[propManifest]; text != "" {
			err = json.Unmarshal([]byte(text), &files)
			return files, err
		}
		if snap.Props[propResult] != "" { // snapshots of maintenance have none
			var stored storedResult
			text, err := readResult(d, snap)
			if err == nil {
				err = json.Unmarshal(text, &stored)
			}
			return stored.Files, err
		}
	}
	return nil, nil
}
