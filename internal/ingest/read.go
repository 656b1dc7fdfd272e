package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"roster/internal/audience"
	"roster/internal/source"
	"roster/internal/tabular"
)

// smallFile is the size up to which a file is parsed by one goroutine, several files at a time.
const smallFile = 8 << 20

// fileRead is what reading one file of the manifest found.
type fileRead struct {
	header   tabular.Header
	rows     atomic.Int64
	rejected atomic.Int64
}

// read parses every file of the manifest that is to be read and routes its rows to the spill.
func (a *attempt) read(ctx context.Context) error {
	a.reads = make([]fileRead, len(a.files))
	routers := make([]*router, a.p.workers())
	free := make(chan *router, len(routers))
	for i := range routers {
		routers[i] = &router{attempt: a, encoder: encoder{codec: a.codec}, out: a.spill.writer()}
		free <- routers[i]
	}
	var large []int
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(len(routers))
	for i, f := range a.files {
		switch {
		case f.Status != audience.FileRead:
		case f.Size > smallFile:
			large = append(large, i)
		default:
			g.Go(guard(func() error {
				r := <-free
				defer func() { free <- r }()
				return a.readFile(gctx, i, []*router{r})
			}))
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, i := range large {
		if err := a.readFile(ctx, i, routers); err != nil {
			return err
		}
	}
	for _, r := range routers {
		if err := r.out.flush(); err != nil {
			return err
		}
	}
	return nil
}

// readFile reads the index-th file of the manifest with one parser per router.
func (a *attempt) readFile(ctx context.Context, index int, routers []*router) error {
	f := a.files[index]
	r, err := a.spec.Source.Open(ctx, source.Object{Path: f.Path, Size: f.Size, Modified: f.ModifiedAt, Version: f.Version}, 0, -1)
	if err != nil {
		return sourceFailure(f.Path, err)
	}
	defer r.Close()
	for _, rt := range routers {
		rt.index = index
	}
	in := &countingReader{r: r, n: &a.bytesRead}
	header, err := tabular.CSV(ctx, in, a.columns, tabular.Options{Workers: len(routers)},
		func(worker int, b *tabular.Batch) error { return routers[worker].route(b) })
	if err != nil {
		return a.fileFailure(f.Path, err)
	}
	a.reads[index].header = header
	return nil
}

// fileFailure names the file in an error of its reader.
func (a *attempt) fileFailure(path string, err error) error {
	for _, known := range []error{source.ErrChanged, source.ErrNotExist, source.ErrOutside, source.ErrPermission, context.Canceled} {
		if errors.Is(err, known) {
			return sourceFailure(path, err)
		}
	}
	var file *tabular.FileError
	if errors.As(err, &file) {
		if file.Code == "READ" {
			return sourceFailure(path, err)
		}
		return audience.Errorf(audience.Invalid, "%s: %s", path, file.Message)
	}
	return err
}

// router routes the accepted rows of one parsing goroutine.
type router struct {
	attempt *attempt
	index   int // of the file in the manifest
	encoder encoder
	out     *spillWriter
}

func (rt *router) route(b *tabular.Batch) error {
	a := rt.attempt
	n := int(b.Record.NumRows())
	rt.encoder.bind(b.Record)
	refused := b.Rejects
	for i := range n {
		order := uint64(rt.index)<<lineBits | uint64(b.Lines[i])&lineMask
		rec, key, ok := rt.encoder.encode(i, order)
		if !ok {
			refused = append(refused, tabular.Reject{Line: b.Lines[i], Offset: -1, Column: a.codec.fields[a.codec.primary.field].Name,
				Code: tabular.CodeIdentity, Reason: "the primary identity is empty"})
			continue
		}
		if err := rt.out.write(&key, rec); err != nil {
			return err
		}
	}
	read := &a.reads[rt.index]
	read.rows.Add(int64(n + len(b.Rejects)))
	read.rejected.Add(int64(len(refused)))
	a.rowsRead.Add(int64(n + len(b.Rejects)))
	return a.rejects.add(rt.index, refused)
}

// countingReader counts the bytes read, for the progress.
type countingReader struct {
	r io.Reader
	n *atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// guard turns a panic of a goroutine into an error: a file must never end the process.
func guard(fn func() error) func() error {
	return func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		return fn()
	}
}
