package input

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// ChunkMemory limits the memory of chunks between the reader of a file and its parsers.
type ChunkMemory struct {
	bytes int64
	free  *semaphore.Weighted
}

func NewChunkMemory(bytes int64) *ChunkMemory {
	return &ChunkMemory{bytes: bytes, free: semaphore.NewWeighted(bytes)}
}

// of returns the memory that a chunk takes. A chunk that is larger than the limit takes all the memory, so that it is
// alone.
func (m *ChunkMemory) of(buf []byte) int64 { return min(int64(cap(buf)), m.bytes) }

// Acquire waits until there is memory for a chunk.
func (m *ChunkMemory) Acquire(ctx context.Context, buf []byte) error {
	return m.free.Acquire(ctx, m.of(buf))
}

// Release releases the memory of a parsed chunk.
func (m *ChunkMemory) Release(buf []byte) { m.free.Release(m.of(buf)) }
