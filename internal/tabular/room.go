package tabular

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// room is the memory for chunks between whoever reads a file and the parsers.
type room struct {
	bytes int64
	free  *semaphore.Weighted
}

func newRoom(bytes int64) *room {
	return &room{bytes: bytes, free: semaphore.NewWeighted(bytes)}
}

// of is what a chunk takes: one that is larger than all there is takes all, so that it is alone.
func (r *room) of(buf []byte) int64 { return min(int64(cap(buf)), r.bytes) }

// take waits until there is room for a chunk.
func (r *room) take(ctx context.Context, buf []byte) error { return r.free.Acquire(ctx, r.of(buf)) }

// give gives back the room of a chunk that was parsed.
func (r *room) give(buf []byte) { r.free.Release(r.of(buf)) }
