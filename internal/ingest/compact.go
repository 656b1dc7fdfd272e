package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"roster/internal/background"
	"roster/internal/lake"
)

// What makes an audience's files worth folding: readers open each of them, and read dead rows with the live ones. The numbers are from
// docs/decisions/20261130-tables-stay-quick.md.
const (
	maxSpareFiles   = 8  // data files beyond those that are whole
	maxSpareDeletes = 16 // files of position deletes beyond one for each data file
	maxDeadPercent  = 20

	// A fold rewrites files below tinyFile, and each next larger one that is at most foldFactor times as large as those before it together.
	// So a row is rewritten once for each power of foldFactor between a run's rows and a whole file.
	tinyFile   = 1 << 20
	foldFactor = 4
	wholeFile  = dataFileSize / 2 // a file of this size is rewritten for its dead rows only
)

// propsOfRun are the summary entries that say something of one run, and not of the members after it.
var propsOfRun = []string{propRows, propMembers, propManifest, propResult, propDelta, propStage}

// modeCompaction is the mode of a snapshot that maintenance made.
const modeCompaction = "compaction"

// NeedsCompaction reports whether Compact has something to do. It reads the table's metadata only.
func (p *Pipeline) NeedsCompaction(ctx context.Context, table lake.TableID) (bool, error) {
	dataset, err := p.Lake.Load(ctx, table)
	if err != nil {
		return false, err
	}
	worn, err := worn(ctx, dataset)
	return worn || dataset.Crowded(), err
}

// Compact folds small files of an audience's dataset, and those with more than 20 % dead rows, into files sorted by key, and the position
// deletes of the other files into few files. It does so if the dataset has more than 8 data files beside those of 64 MiB or more, more than
// 16 files of position deletes beside one for each data file, or more than 20 % dead rows. The rows stay what they are: the snapshot that
// Compact makes has no run, and the entries of its parent that describe the members. If the metadata names many
// snapshots, Compact moves the older ones to the table's history file. Compact is safe beside runs: neither waits for the other. before is called right before the commit; its error stops the compaction and is returned. done is false if there was nothing to do,
// or if a run replaced the files meanwhile.
func (p *Pipeline) Compact(ctx context.Context, table lake.TableID, before func(ctx context.Context) error) (done bool, err error) {
	dataset, err := p.Lake.Load(ctx, table)
	if err != nil {
		return false, err
	}
	if done, err = p.fold(ctx, dataset, before); err != nil {
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

// fold does the part of Compact that concerns files.
func (p *Pipeline) fold(ctx context.Context, dataset *lake.Dataset, before func(ctx context.Context) error) (done bool, err error) {
	worn, err := worn(ctx, dataset)
	if err != nil || !worn || len(dataset.Foreign()) > 0 { // a run adopts what others did first
		return false, err
	}
	state, err := dataset.OpenState(ctx, lake.StateOptions{})
	if err != nil {
		return false, fmt.Errorf("read the dataset's files: %w", err)
	}
	return p.rewrite(ctx, dataset, foldOf(state), before)
}

// worn reports whether the dataset's files are worth folding.
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
		if small || s.Dead(i)*100 > f.Rows*maxDeadPercent {
			fold[f.Path] = true
			bytes += f.Bytes
		}
	}
	return fold
}

// rewrite commits the live rows of some of the dataset's files in files of their own, and the position deletes of the others anew. before is
// as that of Compact; done is false if a run replaced the files meanwhile.
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

// carried returns the summary entries of a fold that follows a snapshot. A snapshot with moved keys names a file of its own.
func carried(snap lake.Snapshot) map[string]string {
	if snap.Props[propMoved] != "" {
		return nil
	}
	return compactionProps(snap)
}

// compactionProps returns what a snapshot's summary says of the members.
func compactionProps(snap lake.Snapshot) map[string]string {
	props := maps.Clone(snap.Props)
	for _, name := range propsOfRun {
		delete(props, name)
	}
	props[propMode] = modeCompaction
	return props
}

// discard removes a directory of files that were not committed.
func discard(log *slog.Logger, d *lake.Dataset, dir string) {
	if err := d.RemoveDir(dir); err != nil {
		log.Warn("files that were not committed are left over", "directory", dir, "error", err)
	}
}
