package pebble

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/cockroachdb/pebble/v2/objstorage"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/errgroup"

	"roster/internal/background"
	"roster/internal/fault"
	"roster/internal/profile"
)

// writeBytes is the size of writes to a sorted table. The goroutine that builds blocks waits during a write.
const writeBytes = 1 << 20

// tableBytes is the size at which a sorted table is finished; the next change begins another.
const tableBytes = 64 << 20

// load writes a delta and the pointer as sorted tables and ingests them atomically. Tables of a failed or interrupted
// load are removed, at the latest when the store is opened.
func (s *engine) load(ctx context.Context, ref profile.Ref, p profile.Pointer, d profile.Delta) error {
	l := &loading{store: s, ref: ref, dir: filepath.Join(s.loads, fmt.Sprintf("%d-%d-%d", ref.Sandbox, ref.Audience, p.Seq))}
	if err := s.fs.RemoveAll(l.dir); err != nil {
		return err
	}
	if err := s.fs.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	defer s.fs.RemoveAll(l.dir)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(background.Cores())
	for part := range d.Parts() {
		g.Go(func() error {
			defer background.Thread()()
			return l.part(gctx, d, part)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := l.pointer(p); err != nil {
		return fmt.Errorf("write a sorted table: %w", err)
	}
	if err := fault.At("profile.ingest"); err != nil {
		return err
	}
	if err := s.db.Ingest(ctx, l.paths); err != nil {
		return fmt.Errorf("ingest sorted tables: %w", err)
	}
	return fault.At("profile.ingest" + fault.Done)
}

type loading struct {
	store *engine
	ref   profile.Ref
	dir   string
	mu    sync.Mutex
	paths []string
}

// part writes one part of a delta.
func (l *loading) part(ctx context.Context, d profile.Delta, part int) error {
	r, err := d.Open(ctx, part)
	if err != nil {
		return err
	}
	var w *sstable.Writer
	var key, value []byte
	written := 0
	err = readPart(ctx, r, func(c *profile.Change) error {
		if w == nil {
			if w, err = l.table(); err != nil {
				return err
			}
		}
		key = appendKey(key[:0], l.ref, c)
		if c.Erased {
			err = w.Delete(key)
		} else {
			value = appendValue(value[:0], c)
			err = w.Set(key, value)
		}
		if err != nil {
			return err
		}
		if written++; written&0xffff == 0 && w.Raw().EstimatedSize() >= tableBytes {
			done := w
			w = nil
			return done.Close()
		}
		return nil
	})
	if w != nil {
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		return fmt.Errorf("write a sorted table: %w", err)
	}
	return nil
}

// pointer writes the pointer as a separate table, which is ingested with the others.
func (l *loading) pointer(p profile.Pointer) error {
	w, err := l.table()
	if err != nil {
		return err
	}
	return errors.Join(w.Set(pointerKey(l.ref), pointerValue(p)), w.Close())
}

// table begins a sorted table.
func (l *loading) table() (*sstable.Writer, error) {
	l.mu.Lock()
	path := filepath.Join(l.dir, fmt.Sprintf("%06d.sst", len(l.paths)))
	l.paths = append(l.paths, path)
	l.mu.Unlock()
	f, err := l.store.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	opts := l.store.opts.MakeWriterOptions(len(l.store.opts.Levels)-1, l.store.db.TableFormat())
	// Pebble ingests tables above the ones that they overlap. As parts of the lowest level their deletions would be
	// marked as obsolete, and readers would skip them: an erased person would be found until the tables are compacted.
	opts.WritingToLowestLevel = false
	f = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{BytesPerSync: 8 << 20}) // so that little data is left to sync at the end
	return sstable.NewWriter(&tableFile{f, bufio.NewWriterSize(f, writeBytes)}, opts), nil
}

// tableFile is a sorted table's file.
type tableFile struct {
	file vfs.File
	buf  *bufio.Writer
}

var _ objstorage.Writable = (*tableFile)(nil)

// Write implements objstorage.Writable.
func (f *tableFile) Write(p []byte) error {
	_, err := f.buf.Write(p)
	return err
}

// Finish implements objstorage.Writable.
func (f *tableFile) Finish() error {
	err := f.buf.Flush()
	if err == nil {
		err = f.file.Sync()
	}
	return errors.Join(err, f.file.Close())
}

// Abort implements objstorage.Writable.
func (f *tableFile) Abort() { f.file.Close() }
