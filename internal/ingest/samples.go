package ingest

import (
	"cmp"
	"slices"

	"roster/internal/audience"
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
		var rows []row
		for _, t := range all {
			rows = append(rows, t.samples.byKind[kind]...)
		}
		slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.order, b.order) })
		for _, r := range rows[:min(len(rows), samplesOfKind)] {
			list = append(list, audience.ChangeSample{Change: kind, File: files[r.file()].Path, Line: r.line()})
		}
	}
	return list
}
