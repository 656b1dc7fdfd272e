package parquet

import (
	"fmt"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"roster/internal/tabular"
)

// fence limits the memory that decoding a file uses at a time. The memory that a file claims to need is taken from it
// before the allocation.
type fence struct {
	limit int64
	used  atomic.Int64
}

func (f *fence) take(n int64) error {
	if f.used.Add(n) > f.limit {
		f.used.Add(-n)
		return parquetError("reading the Parquet file needs more than %d MiB of memory at a time; write it with smaller pages, dictionaries and row groups, or give the server more (--memory)", f.limit>>20)
	}
	return nil
}

func (f *fence) give(n int64) { f.used.Add(-n) }

// fenced is an Arrow allocator with a limit. The library does not expect allocations to fail, so fenced panics with the
// error, which parquetFile.reading returns.
type fenced struct {
	fence *fence
	held  atomic.Int64
}

var _ memory.Allocator = (*fenced)(nil)

func (a *fenced) take(n int64) {
	if err := a.fence.take(n); err != nil {
		panic(err)
	}
	a.held.Add(n)
}

func (a *fenced) give(n int64) {
	a.held.Add(-n)
	a.fence.give(n)
}

// Allocate implements memory.Allocator.
func (a *fenced) Allocate(size int) []byte {
	a.take(int64(size))
	return memory.DefaultAllocator.Allocate(size)
}

// Reallocate implements memory.Allocator.
func (a *fenced) Reallocate(size int, b []byte) []byte {
	if size > len(b) {
		a.take(int64(size)) // both buffers exist during the copy
		defer a.give(int64(len(b)))
	} else {
		a.give(int64(len(b) - size))
	}
	return memory.DefaultAllocator.Reallocate(size, b)
}

// Free implements memory.Allocator.
func (a *fenced) Free(b []byte) {
	a.give(int64(len(b)))
	memory.DefaultAllocator.Free(b)
}

// close releases the memory that the library has not released.
func (a *fenced) close() { a.give(a.held.Load()) }

// pages is the memory of pages besides Arrow's: decompressed pages, and the values of a dictionary.
type pages struct {
	fence *fence
	held  int64
}

// grow returns a buffer of n bytes, which is b if b is large enough.
func (p *pages) grow(b []byte, n int64) ([]byte, error) {
	if int64(cap(b)) >= n {
		return b[:n], nil
	}
	if err := p.hold(n); err != nil {
		return nil, err
	}
	p.release(int64(cap(b)))
	return make([]byte, n), nil
}

func (p *pages) hold(n int64) error {
	if err := p.fence.take(n); err != nil {
		return err
	}
	p.held += n
	return nil
}

func (p *pages) release(n int64) {
	p.held -= n
	p.fence.give(n)
}

func (p *pages) close() { p.release(p.held) }

func tooManyBytes(name string) error {
	return &tabular.FileError{Code: "LINE_TOO_LONG", Message: fmt.Sprintf("column %q has values of more than %d MiB", name, tabular.MaxRecord>>20)}
}
