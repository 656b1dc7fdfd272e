package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"roster/internal/audience"
	"roster/internal/background"
	"roster/internal/identity"
	"roster/internal/source"
	"roster/internal/tabular"
	"roster/internal/tabular/formats"
)

// smallFile is the maximum size, in bytes, of a file that one goroutine parses while others parse other files. With
// little memory, the limit is lower.
const smallFile = 8 << 20

// fileRead contains the results of reading one file of the manifest.
type fileRead struct {
	header   tabular.Header
	rows     atomic.Int64
	rejected atomic.Int64
	blanks   atomic.Int64 // rows with only delimiters
	filled   atomic.Int64 // rows with too few columns, filled with nulls
	encoding misencoded
	// rejectedLines is the number of rejected rows. A row with an unclosed quote counts once for each of its lines.
	rejectedLines atomic.Int64
}

// read parses the files of the manifest that are to be read, and routes their rows to the spill.
func (a *attempt) read(ctx context.Context) error {
	a.reads = make([]fileRead, len(a.files))
	routers := make([]*router, a.p.workers())
	free := make(chan *router, len(routers))
	for i := range routers {
		routers[i] = &router{attempt: a, encoder: encoder{codec: a.codec}, out: a.spill.writer()}
		free <- routers[i]
	}
	var large, small []int
	for i, f := range a.files {
		switch {
		case f.Status != audience.FileRead:
		case f.Size > min(smallFile, a.share.Base/8):
			large = append(large, i)
		default:
			small = append(small, i)
		}
	}
	if err := a.readSmall(ctx, small, free, len(routers)); err != nil {
		return err
	}
	for _, i := range large {
		if err := a.readFile(ctx, i, a.opener(a.files[i]), routers); err != nil {
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

// readSmall reads small files of the manifest, at most atOnce at a time. Each file uses a free router.
func (a *attempt) readSmall(ctx context.Context, small []int, free chan *router, atOnce int) error {
	files := make([]audience.PlannedFile, len(small))
	for n, i := range small {
		files[n] = a.files[i]
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	fetching := a.prefetch(ctx, files)
	defer fetching.wait()
	for n, f := range fetching.files {
		g.Go(background.Recovering(func() error {
			r := <-free
			defer func() { free <- r }()
			defer fetching.done(f)
			return a.readFile(ctx, small[n], f.open, []*router{r})
		}))
	}
	return g.Wait()
}

// opener opens a range of a file.
type opener func(ctx context.Context, offset, length int64) (io.ReadCloser, error)

// readFile reads the index-th file of the manifest, with one parser per router.
func (a *attempt) readFile(ctx context.Context, index int, open opener, routers []*router) error {
	f := a.files[index]
	defer a.spec.Host.Reading(f.Path)()
	for _, rt := range routers {
		rt.index = index
	}
	progress := &fileProgress{size: f.Size, counted: a.hasRead}
	part := func(bytes int64) int64 { return bytes * int64(len(routers)) / int64(a.p.workers()) } // this file's share
	opts := tabular.Options{Workers: len(routers), Format: a.spec.format(),
		MaxMemory: part(a.share.Most), ChunkMemory: part(a.share.Base / 2), Reserve: a.share.Reserve}
	stored := stored(f, open, progress)
	stored.Envelope = a.envelope()
	header, err := formats.Read(ctx, stored, a.columns, opts,
		func(worker int, b *tabular.Batch) error { return routers[worker].route(b) })
	var empty *tabular.FileError
	if errors.As(err, &empty) && empty.Code == "EMPTY_FILE" && !a.spec.oneFile() {
		err = nil // a compressed part without rows is like an empty file: it has no members
	}
	if err != nil {
		return fileFailure(f.Path, err)
	}
	progress.finish()
	a.reads[index].header = header
	return nil
}

// opener returns an opener for a file of the manifest in its source.
func (a *attempt) opener(f audience.PlannedFile) opener {
	return func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		return a.spec.Source.Open(ctx, object(f), offset, length)
	}
}

func object(f audience.PlannedFile) source.Object {
	return source.Object{Path: f.Path, Size: f.Size, Modified: f.ModifiedAt, Version: f.Version}
}

// stored returns a file of the manifest in its stored form. Reads of it count as progress.
func stored(f audience.PlannedFile, open opener, progress *fileProgress) tabular.File {
	return tabular.File{Size: f.Size, Open: func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		r, err := open(ctx, offset, length)
		if err != nil {
			return nil, err
		}
		return &countingReader{ReadCloser: r, progress: progress}, nil
	}}
}

// textBytes estimates the size of the files in plain CSV, in bytes. It inspects the largest files, and assumes the same
// ratio for the others. Errors are ignored here and reported when the file is read. A rollback reads a version and no
// files, so its size is not converted.
func (a *attempt) textBytes(ctx context.Context) int64 {
	if !a.spec.Run.Request.Traits().ReadsFiles() {
		return a.inBytes
	}
	const most = 16
	files := slices.DeleteFunc(slices.Clone(a.files), func(f audience.PlannedFile) bool { return f.Status != audience.FileRead })
	slices.SortStableFunc(files, func(x, y audience.PlannedFile) int { return cmp.Compare(y.Size, x.Size) })
	var packed, text int64
	for _, f := range files[:min(len(files), most)] {
		done := a.spec.Host.Reading(f.Path)
		stored := stored(f, a.opener(f), &fileProgress{counted: func(int64) {}})
		stored.Envelope = a.envelope()
		n, err := formats.TextSize(ctx, stored, a.spec.format())
		done()
		if err != nil {
			n = f.Size
		}
		packed, text = packed+f.Size, text+n
	}
	return int64(float64(a.inBytes) * float64(text) / float64(max(packed, 1)))
}

// fileFailure adds the file to an error of its reader.
func fileFailure(path string, err error) error {
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
	index   int // index of the file in the manifest
	encoder encoder
	out     *spillWriter
	keys    []identity.Key // keys of a row's further identities
}

func (rt *router) route(b *tabular.Batch) error {
	a := rt.attempt
	n := int(b.Record.NumRows())
	taken := n
	rt.encoder.bind(b.Record)
	for i := range n {
		order := uint64(rt.index)<<lineBits | uint64(b.Lines[i])&lineMask
		rec, key, ok := rt.encoder.encode(i, order)
		if !ok {
			return fmt.Errorf("ingest: %s, row %d: a row without a primary identity was not rejected", a.files[rt.index].Path, b.Lines[i])
		}
		if rt.suppressed(key, rec) {
			b.Rejects = append(b.Rejects, tabular.Reject{Line: b.Lines[i], Lines: 1, Offset: -1, Code: codeSuppressed,
				Reason: "the row names a person who was erased, and whom the server's settings keep out"})
			taken--
			continue
		}
		if err := rt.out.write(&key, rec); err != nil {
			return err
		}
	}
	read := &a.reads[rt.index]
	if b.NotUTF8 != nil {
		read.encoding.look(b.NotUTF8)
	}
	read.rows.Add(int64(taken + len(b.Rejects)))
	read.rejected.Add(int64(len(b.Rejects)))
	read.blanks.Add(b.Blanks)
	read.filled.Add(b.Filled)
	for i := range b.Rejects {
		if b.Rejects[i].Code == tabular.CodeEncoding {
			read.encoding.add(&b.Rejects[i])
		}
		hidden := int64(1)
		if b.Rejects[i].Code == tabular.CodeQuote { // the reject may contain other rows
			hidden = b.Rejects[i].Lines
		}
		read.rejectedLines.Add(hidden)
	}
	a.rowsRead.Add(int64(taken + len(b.Rejects)))
	a.p.rowsRead.Add(int64(taken + len(b.Rejects)))
	return a.rejects.add(rt.index, b.Rejects)
}

// codeSuppressed is the code of a rejected row of a suppressed person. The text of the row is never kept.
const codeSuppressed = "SUPPRESSED"

// suppressed reports whether an identity of a row is suppressed.
func (rt *router) suppressed(key identity.Key, rec []byte) bool {
	out := rt.attempt.spec.Suppressed
	if len(out) == 0 || out[key] {
		return len(out) > 0
	}
	// The erasure was made by an earlier version of Roster.
	if former, differs := rt.encoder.formerKey(); differs && out[former] {
		return true
	}
	rt.keys = rt.encoder.codec.secondaryKeys(rt.keys[:0], payloadOf(rec), key)
	return slices.ContainsFunc(rt.keys, func(k identity.Key) bool { return out[k] })
}

// fileProgress counts the bytes read of a stored file. Some bytes may be read twice, and others never.
type fileProgress struct {
	size    int64
	read    atomic.Int64
	counted func(bytes int64) // receives the bytes read, in total at most size
}

func (p *fileProgress) add(n int64) {
	after := p.read.Add(n)
	p.counted(min(after, p.size) - min(after-n, p.size))
}

// hasRead adds to the bytes read of the run's files.
func (a *attempt) hasRead(bytes int64) {
	a.bytesRead.Add(bytes)
	a.p.bytesRead.Add(bytes)
}

// finish counts the bytes that were not read.
func (p *fileProgress) finish() { p.add(max(p.size-p.read.Load(), 0)) }

// countingReader counts the bytes read, for the progress.
type countingReader struct {
	io.ReadCloser
	progress *fileProgress
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.progress.add(int64(n))
	return n, err
}
