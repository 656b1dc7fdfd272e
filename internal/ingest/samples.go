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

// Kinds of changes that a row of a file brings, as a dry run names them.
const (
	changeAdded   = "added"
	changeUpdated = "updated"
	changeDeleted = "deleted"
)

// samplesOfKind is how many changes of a kind a dry run shows.
const samplesOfKind = 20

// samples are the first changes of each kind in a range of keys. Keys are hashes, so that they are as good a sample
// as any. A nil *samples takes none.
type samples struct {
	byKind map[string][]row
}

func newSamples() *samples { return &samples{byKind: map[string][]row{}} }

// add takes a change that the row r brings.
func (s *samples) add(kind string, r row) {
	if s != nil && len(s.byKind[kind]) < samplesOfKind {
		s.byKind[kind] = append(s.byKind[kind], r)
	}
}

// changeSamples puts the samples of all ranges together, by kind, file and line.
func changeSamples(all []*tally, files []audience.PlannedFile) (list []audience.ChangeSample) {
	for _, kind := range []string{changeAdded, changeUpdated, changeDeleted} {
		for _, r := range firstOfKind(all, kind, func(a, b row) int { return cmp.Compare(a.order, b.order) }) {
			list = append(list, audience.ChangeSample{Change: kind, File: files[r.file()].Path, Line: r.line()})
		}
	}
	return list
}

// firstOfKind are the first samples of a kind of all ranges.
func firstOfKind(all []*tally, kind string, compare func(a, b row) int) (rows []row) {
	for _, t := range all {
		rows = append(rows, t.samples.byKind[kind]...)
	}
	slices.SortFunc(rows, compare)
	return rows[:min(len(rows), samplesOfKind)]
}

// originSamples are the first members of each kind, in the order of their keys, whom a rollback would bring back or change,
// each by the row of a file that the version has of it.
func originSamples(ctx context.Context, version *lake.Dataset, all []*tally) (list []audience.ChangeSample, err error) {
	read := map[int64][]audience.FileResult{} // by the numbers of runs
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

// goneFile stands for a file of a run that is not known any more.
const goneFile = "a file of an earlier run"

// originOf finds out which line of which file a member of a version comes from. read has the files of the runs that are known.
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

// filesOf are the files that the run with a number read; nil when its snapshot is gone or does not name them.
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
		if snap.Props[propResult] != "" { // a snapshot of maintenance has none
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
