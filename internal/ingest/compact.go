package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"roster/internal/background"
	"roster/internal/lake"
)

// These limits decide when to fold an audience's files. Readers open each file, and read deleted rows with the live
// ones. The numbers come from docs/decisions/20261130-tables-stay-quick.md.
const (
	maxSpareFiles   = 8  // data files beyond those of at least wholeFile bytes
	maxSpareDeletes = 16 // files of position deletes beyond one per data file
	maxDeadPercent  = 20

	// A fold rewrites the files below tinyFile. Then, by ascending size, it adds each file that is at most foldFactor
	// times as large as all smaller ones together. So a row is rewritten once for each power of foldFactor between the
	// rows of a run and a whole file.
	tinyFile   = 1 << 20
	foldFactor = 4
	wholeFile  = dataFileSize / 2 // a file of this size or more is rewritten only for its deleted rows
)

// propsOfRun are the summary entries that describe one run, and not the members after it.
var propsOfRun = []string{propRows, propMembers, propManifest, propResult, propDelta, propStage}

// modeCompaction is the mode of a snapshot of maintenance.
const modeCompaction = "compaction"

// NeedsCompaction reports whether Compact has something to do. It reads only the table's metadata.
func (p *Pipeline) NeedsCompaction(ctx context.Context, table lake.TableID) (bool, error) {
	dataset, err := p.Lake.Load(ctx, table)
	if err != nil {
		return false, err
	}
	worn, err := worn(ctx, dataset)
	return worn || dataset.NeedsArchive(), err
}

// Compact rewrites the small files of an audience's dataset, and the files with more than 20 % deleted rows, as files
// sorted by key. It also rewrites the position deletes of the other files as few files. Compact does so if the dataset
// has more than 8 data files beyond those of 64 MiB or more, more than 16 files of position deletes beyond one per data
// file, more than 20 % deleted rows, or files with escaped locations, which are rewritten as well. The rows do not
// change. The snapshot has no run, and keeps the entries of its parent that describe the members. If the metadata has
// many snapshots, Compact moves the older ones to the table's history file.
//
// Compact is safe while runs are in progress: neither waits for the other. The function before is called right before
// the commit. Its error stops the compaction and is returned. The result done is false if there was nothing to do, or
// if a run replaced the files at the same time.
func (p *Pipeline) Compact(ctx context.Context, table lake.TableID, before func(ctx context.Context) error) (done bool, err error) {
	dataset, err := p.Lake.Load(ctx, table)
	if err != nil {
		return false, err
	}
	if done, err = p.fold(ctx, dataset, before); errors.Is(err, lake.ErrDamaged) {
		// An erasure beside the compaction removes versions and their files.
		if dropped, failed := dataset.Dropped(ctx); failed == nil && dropped {
			return false, nil
		}
	}
	if err != nil {
		return done, err
	}
	if dataset, err = p.Lake.Load(ctx, table); err != nil {
		return done, err
	}
	if err := dataset.Archive(ctx); err != nil && !errors.Is(err, lake.ErrConflict) {
		return done, fmt.Errorf("move earlier versions out of the metadata: %w", err)
	}
	return done, nil
}

// fold executes the part of Compact that rewrites files.
func (p *Pipeline) fold(ctx context.Context, dataset *lake.Dataset, before func(ctx context.Context) error) (done bool, err error) {
	worn, err := worn(ctx, dataset)
	if err == nil && !worn {
		worn, err = dataset.Escaped(ctx)
	}
	if err != nil || !worn || len(dataset.Foreign()) > 0 { // a run must first adopt the changes of other programs
		return false, err
	}
	state, err := dataset.OpenState(ctx, lake.StateOptions{})
	if err != nil {
		return false, fmt.Errorf("read the dataset's files: %w", err)
	}
	return p.rewrite(ctx, dataset, foldOf(state), before)
}

// worn reports whether the dataset's files exceed the limits of Compact.
func worn(ctx context.Context, d *lake.Dataset) (bool, error) {
	l, err := d.Layout(ctx)
	if err != nil {
		return false, err
	}
	dead := l.Rows - d.Rows()
	return int64(l.Files) > maxSpareFiles+l.Bytes/wholeFile || l.DeleteFiles > l.Files+maxSpareDeletes || dead*100 > l.Rows*maxDeadPercent, nil
}

// foldOf returns the paths of the files that a fold rewrites.
func foldOf(s *lake.State) map[string]bool {
	files := s.Files()
	order := make([]int, len(files))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(files[i].Bytes, files[j].Bytes) })
	fold, bytes := map[string]bool{}, int64(0)
	for _, i := range order {
		f := files[i]
		small := f.Bytes < tinyFile || f.Bytes < wholeFile && f.Bytes <= foldFactor*bytes
		if small || s.Escaped(i) || s.Dead(i)*100 > f.Rows*maxDeadPercent {
			fold[f.Path] = true
			bytes += f.Bytes
		}
	}
	return fold
}

// rewrite writes the live rows of some of the dataset's files to new files, rewrites the position deletes of the other
// files, and commits. For before, see Compact. The result done is false if a run replaced the files at the same time.
func (p *Pipeline) rewrite(ctx context.Context, dataset *lake.Dataset, fold map[string]bool, before func(ctx context.Context) error) (done bool, err error) {
	dir := lake.MaintenanceDir(uuid.NewString())
	keep := false
	defer func() {
		if !keep {
			discard(p.Log, dataset, dir)
		}
	}()
	snap, _ := dataset.Current()
	commit := lake.Commit{Fold: fold, Dir: dir, Props: compactionProps(snap), Carry: carried}
	if snap.Props[propMoved] != "" || !dataset.Foldable() {
		commit.Fold, commit.Carry, commit.Replace = nil, nil, true
	}
	share, err := p.share(ctx)
	if err != nil {
		return false, err
	}
	defer share.End()
	var g errgroup.Group
	g.Go(background.Recovering(func() (err error) {
		commit.Add, err = dataset.Rewrite(ctx, lake.RewriteOptions{Dir: dir, Memory: share.Base, FileSize: dataFileSize, Only: commit.Fold})
		return err
	}))
	if err := g.Wait(); err != nil {
		return false, fmt.Errorf("rewrite the dataset: %w", err)
	}
	if err := before(ctx); err != nil {
		return false, err
	}
	if snap.Props[propMoved] != "" {
		moved, err := movedBefore(dataset, snap)
		if err == nil {
			commit.Props[propMoved], err = writeMoved(dataset, dir, maps.Keys(moved))
		}
		if err != nil {
			return false, err
		}
	}
	_, err = dataset.Commit(ctx, commit)
	keep = err == nil || errors.Is(err, lake.ErrUncertain)
	if errors.Is(err, lake.ErrConflict) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("commit the rewritten dataset: %w", err)
	}
	return true, nil
}

// carried returns the summary entries of a fold whose parent is the given snapshot. It returns nil for a snapshot with
// moved keys, because such a snapshot names a separate file.
func carried(snap lake.Snapshot) map[string]string {
	if snap.Props[propMoved] != "" {
		return nil
	}
	return compactionProps(snap)
}

// compactionProps returns the entries of a snapshot's summary that describe the members.
func compactionProps(snap lake.Snapshot) map[string]string {
	props := maps.Clone(snap.Props)
	for _, name := range propsOfRun {
		delete(props, name)
	}
	props[propMode] = modeCompaction
	return props
}

// discardTime is how long discard tries. It also runs while the server stops.
const discardTime = 5 * time.Second

// discard removes a directory of uncommitted files. What it cannot remove, the search for orphans does.
func discard(log *slog.Logger, d *lake.Dataset, dir string) {
	ctx, cancel := context.WithTimeout(context.Background(), discardTime)
	defer cancel()
	if err := d.RemoveDir(ctx, dir); err != nil {
		log.Warn("files that were not committed are left over", "directory", dir, "error", err)
	}
}
