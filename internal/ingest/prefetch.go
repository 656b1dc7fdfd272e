package ingest

import (
	"bytes"
	"context"
	"io"
	"sync"

	"golang.org/x/sync/semaphore"

	"roster/internal/audience"
)

const (
	// prefetchBytes is the maximum size of small files in memory before they are parsed, if the run's memory allows
	// that much. prefetchFiles is the maximum number of concurrent reads, because a distant store answers each read
	// late.
	prefetchBytes = 32 << 20
	prefetchFiles = 16
)

// prefetched is a small file that is being read into memory.
type prefetched struct {
	stored audience.PlannedFile
	ready  chan struct{} // closed when bytes and err are set
	bytes  []byte
	err    error
	memory int64 // reserved bytes
}

// open waits for the file and returns a range of it.
func (f *prefetched) open(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	select {
	case <-f.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.err != nil {
		return nil, f.err
	}
	part := f.bytes[min(offset, int64(len(f.bytes))):]
	if length >= 0 {
		part = part[:min(length, int64(len(part)))]
	}
	return io.NopCloser(bytes.NewReader(part)), nil
}

// prefetcher reads small files into memory, in the order in which they are parsed, ahead of the parsers.
type prefetcher struct {
	files  []*prefetched
	memory *semaphore.Weighted
	wg     sync.WaitGroup
}

// prefetch starts to read files until ctx ends. Then wait waits for reads in progress.
func (a *attempt) prefetch(ctx context.Context, files []audience.PlannedFile) *prefetcher {
	p := &prefetcher{memory: semaphore.NewWeighted(min(prefetchBytes, a.share.Base/4))}
	for _, f := range files {
		p.files = append(p.files, &prefetched{stored: f, ready: make(chan struct{})})
	}
	p.wg.Go(func() {
		tickets := semaphore.NewWeighted(prefetchFiles)
		for _, f := range p.files {
			if f.err = p.memory.Acquire(ctx, f.stored.Size); f.err == nil {
				f.memory = f.stored.Size
				f.err = tickets.Acquire(ctx, 1)
			}
			if f.err != nil {
				close(f.ready)
				continue
			}
			p.wg.Go(func() {
				defer close(f.ready)
				defer tickets.Release(1)
				f.bytes, f.err = a.fetch(ctx, f.stored)
			})
		}
	})
	return p
}

// done releases the memory of a file that was parsed or is not needed.
func (p *prefetcher) done(f *prefetched) {
	<-f.ready
	f.bytes = nil
	p.memory.Release(f.memory)
}

func (p *prefetcher) wait() { p.wg.Wait() }

// fetch reads a whole file.
func (a *attempt) fetch(ctx context.Context, f audience.PlannedFile) ([]byte, error) {
	r, err := a.spec.Source.Open(ctx, object(f), 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, f.Size)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	// Some stores detect only at the end of a read that the file has changed.
	if _, err := r.Read(make([]byte, 1)); err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}
