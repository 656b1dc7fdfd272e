package lake

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/apache/iceberg-go/table"

	"roster/internal/audience"
	"roster/internal/blob"
)

// maintenancePrefix is the prefix of the directory names of maintenance. No run has this prefix.
const maintenancePrefix = "maintenance-"

// MaintenanceDir returns the name of an attempt's directory for maintenance. The id must be unique.
func MaintenanceDir(id string) string { return maintenancePrefix + id }

// OrphanOptions select the files that RemoveOrphans keeps.
type OrphanOptions struct {
	// Before is the latest time of the last change of a file. Newer files stay, because the next commit may name them.
	Before time.Time
	// Keep contains names of files beside the data, such as a run's rejects, each with a time that applies instead of
	// Before. Such a file stays until it is older than that time, and is then removed, whether or not a snapshot keeps
	// the run's other files.
	Keep map[string]time.Time
	// InUse reports whether a run has not ended. RemoveOrphans calls InUse before it reads the history.
	InUse func(audience.RunID) bool
}

// RemoveOrphans removes the files of the table that no snapshot names, and returns their number and size in bytes.
// These are files of expired snapshots, of failed attempts, and of commits that lost a race. RemoveOrphans is safe
// while runs are in progress, and can be interrupted at any point.
func (d *Dataset) RemoveOrphans(ctx context.Context, o OrphanOptions) (files int, bytes int64, err error) {
	s := orphanSearch{OrphanOptions: o, ended: map[audience.RunID]bool{}}
	// The files are listed before the table is loaded. So the loaded table names each listed file that any later table
	// can name.
	for _, folder := range []struct{ place, kind string }{
		{d.dir, "metadata"}, {d.dir, "data"}, {d.dir, besideFolder}, {filesDir(d.dir), besideFolder}, {filesDir(d.dir), historyFolder},
	} {
		err = errors.Join(err, unlessAbsent(d.lake.files.store.Below(folder.place).List(ctx, folder.kind, func(o blob.Object) error {
			s.look(o, folder.place, folder.kind)
			return nil
		})))
	}
	// The table's own folder contains the state of the daily check (scrub.go). A killed process may have left
	// an unfinished copy there.
	err = errors.Join(err, unlessAbsent(d.store().Browse(ctx, "", func(o blob.Object, folder bool) error {
		if !folder && blob.Unfinished(o.Path) {
			s.look(o, d.dir, "")
		}
		return nil
	})))
	if err != nil {
		return 0, 0, fmt.Errorf("list the files of table %s.%s: %w", d.id.Namespace, d.id.Name, err)
	}
	now, err := d.lake.load(ctx, d.id)
	if err != nil {
		return 0, 0, err
	}
	named, err := now.named(ctx, nil)
	if err != nil {
		return 0, 0, err
	}
	err = s.remove(ctx, now, named)
	return s.files, s.bytes, errors.Join(err, now.removeOrphanCopies(ctx, named))
}

// orphanSearch is one search for orphans.
type orphanSearch struct {
	OrphanOptions
	ended map[audience.RunID]bool // results of InUse
	found []candidate
	files int
	bytes int64
}

// candidate is a file that is removed unless a snapshot names it.
type candidate struct {
	place string // the directory that contains path
	path  string
	// dir is the attempt's directory of a file beside the data. Snapshots name the directory instead of its files.
	dir  string
	size int64
	kept bool // the file is in OrphanOptions.Keep, and its time is over
}

// look adds a file to the candidates if it is old enough and does not belong to a run in progress.
func (s *orphanSearch) look(o blob.Object, place, kind string) {
	attempt, _, inAttempt := strings.Cut(strings.TrimPrefix(o.Path, kind+"/"), "/")
	if kind != "metadata" && inAttempt && s.inUse(attempt) {
		return
	}
	c := candidate{place: place, path: o.Path, size: o.Size}
	before := s.Before
	if kind == besideFolder && !blob.Unfinished(o.Path) {
		c.dir = attempt
		if at, ok := s.Keep[strings.TrimSuffix(path.Base(o.Path), sumsSuffix)]; ok {
			before, c.kept = at, true
		}
	}
	if o.Modified.Before(before) {
		s.found = append(s.found, c)
	}
}

// inUse reports whether an attempt's directory belongs to a run that has not ended.
func (s *orphanSearch) inUse(attempt string) bool {
	i := strings.LastIndexByte(attempt, '-')
	if i < 0 || strings.HasPrefix(attempt, maintenancePrefix) {
		return false
	}
	run := audience.RunID(attempt[:i])
	ended, known := s.ended[run]
	if !known {
		ended = !s.InUse(run)
		s.ended[run] = ended
	}
	return !ended
}

// remove removes the candidates that are not named, and then the directories that are empty.
func (s *orphanSearch) remove(ctx context.Context, d *Dataset, named map[string]bool) error {
	s.found = slices.DeleteFunc(s.found, func(c candidate) bool {
		of := strings.TrimSuffix(c.path, sumsSuffix) // a file of checksums stays as long as its file
		return named[path.Join(c.place, of)] || named[c.dir] && !c.kept
	})
	for some := range slices.Chunk(s.found, 100) {
		paths := map[string][]string{}
		for _, c := range some {
			paths[c.place] = append(paths[c.place], c.path)
		}
		for place, below := range paths {
			if err := d.lake.files.store.Below(place).Remove(ctx, below...); err != nil {
				return fmt.Errorf("remove orphans: %w", err)
			}
		}
		for _, c := range some {
			if !strings.HasSuffix(c.path, sumsSuffix) {
				s.files++
				s.bytes += c.size
			}
		}
	}
	return nil
}

// named returns the paths of all files that the table's metadata names, and the names of the attempts' directories that
// snapshots keep. For before, see ReadHistory.
func (d *Dataset) named(ctx context.Context, before *History) (map[string]bool, error) {
	h, err := d.ReadHistory(ctx, before)
	if err != nil {
		return nil, err
	}
	n := names{in: d.lake.files, paths: map[string]bool{}}
	meta := d.table.Metadata()
	n.add(d.MetadataLocation())
	if history := meta.Properties()[propHistory]; history != "" {
		n.add(history)
	}
	for old := range meta.PreviousFiles() {
		n.add(old.MetadataFile)
	}
	for s := range meta.Statistics() {
		n.add(s.StatisticsPath)
	}
	for s := range meta.PartitionStatistics() {
		n.add(s.StatisticsPath)
	}
	h.addTo(&n, func(int64) bool { return true })
	return n.paths, n.err
}

// isPath distinguishes the path of a file from the name of an attempt's directory.
func isPath(name string) bool { return strings.Contains(name, "/") }

// names collects paths.
type names struct {
	in    files
	paths map[string]bool
	err   error
}

func (n *names) add(location string) {
	p, err := n.in.pathOf(location)
	n.err = errors.Join(n.err, err)
	n.paths[p] = true
}

func (n *names) addDir(s *table.Snapshot) {
	if dir := entryOf(s, PropDir); dir != "" {
		n.paths[dir] = true
	}
}
