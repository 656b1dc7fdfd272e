package input

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// Room is the memory for chunks between whoever reads a file and the parsers.
type Room struct {
	bytes int64
	free  *semaphore.Weighted
}

func NewRoom(bytes int64) *Room {
	return &Room{bytes: bytes, free: semaphore.NewWeighted(bytes)}
}

// of is what a chunk takes: one that is larger than all there is takes all, so that it is alone.
func (r *Room) of(buf []byte) int64 { return min(int64(cap(buf)), r.bytes) }

// Take waits until there is room for a chunk.
func (r *Room) Take(ctx context.Context, buf []byte) error { return r.free.Acquire(ctx, r.of(buf)) }

// Give gives back the room of a chunk that was parsed.
func (r *Room) Give(buf []byte) { r.free.Release(r.of(buf)) }
