package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"roster/internal/background"
	"roster/internal/lake"
)

// What makes an audience's files worth rewriting: the merge of a run opens each of them, and reads dead rows with
// the live ones.
const (
	smallFileSize  = 32 << 20 // bytes; a file below is a small one
	maxSmallFiles  = 8
	maxDeleteFiles = 20
	maxDeadPercent = 20
)

// propsOfRun are the summary entries that say something of one run, and not of the members after it.
var propsOfRun = []string{propRows, propMembers, propManifest, propResult, propDelta, propStage}

// modeCompaction is the mode of a snapshot that maintenance made.
const modeCompaction = "compaction"

// Compact rewrites an audience's dataset into a few files sorted by key when it has more than 8 data files below
// 32 MiB, more than 20 files of position deletes, or more than 20 % dead rows. The rows stay what they are: the
// snapshot that it makes has no run, and the entries of its parent that tell of the members. before is called
// right before the commit; its error stops the compaction and is returned. done is false when there was nothing to
// do or a run committed meanwhile.
func (p *Pipeline) Compact(ctx context.Context, table lake.TableID, before func(ctx context.Context) error) (done bool, err error) {
	dataset, err := p.Lake.Load(ctx, table)
	if err != nil {
		return false, err
	}
	worn, err := worn(ctx, dataset)
	if err != nil || !worn {
		return false, err
	}
	return p.rewrite(ctx, dataset, before)
}

// rewrite commits the dataset's rows in files of its own. before is as that of Compact; done is false when a run
// committed meanwhile.
func (p *Pipeline) rewrite(ctx context.Context, dataset *lake.Dataset, before func(ctx context.Context) error) (done bool, err error) {
	dir := lake.MaintenanceDir(uuid.NewString())
	keep := false
	defer func() {
		if !keep {
			discard(p.Log, dataset, dir)
		}
	}()
	share, err := p.share(ctx)
	if err != nil {
		return false, err
	}
	defer share.End()
	var files []lake.DataFile
	var g errgroup.Group
	g.Go(background.Guard(func() (err error) {
		files, err = dataset.Rewrite(ctx, lake.RewriteOptions{Dir: dir, Memory: share.Base, FileSize: dataFileSize})
		return err
	}))
	if err := g.Wait(); err != nil {
		return false, fmt.Errorf("rewrite the dataset: %w", err)
	}
	if err := before(ctx); err != nil {
		return false, err
	}
	props := compactionProps(dataset)
	if snap, _ := dataset.Current(); snap.Props[propMoved] != "" {
		moved, err := movedBefore(dataset, snap)
		if err == nil {
			props[propMoved], err = writeMoved(dataset, dir, maps.Keys(moved))
		}
		if err != nil {
			return false, err
		}
	}
	_, err = dataset.Commit(ctx, lake.Commit{Replace: true, Add: files, Dir: dir, Props: props})
	keep = err == nil || errors.Is(err, lake.ErrUncertain)
	if errors.Is(err, lake.ErrConflict) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("commit the rewritten dataset: %w", err)
	}
	return true, nil
}

// worn reports whether the dataset's files are worth rewriting.
func worn(ctx context.Context, d *lake.Dataset) (bool, error) {
	l, err := d.Layout(ctx, smallFileSize)
	if err != nil {
		return false, err
	}
	dead := l.Rows - d.Rows()
	return l.SmallFiles > maxSmallFiles || l.DeleteFiles > maxDeleteFiles || dead*100 > l.Rows*maxDeadPercent, nil
}

// compactionProps returns what the current snapshot's summary says of the members.
func compactionProps(d *lake.Dataset) map[string]string {
	props := map[string]string{}
	if snap, ok := d.Current(); ok {
		maps.Copy(props, snap.Props)
	}
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
