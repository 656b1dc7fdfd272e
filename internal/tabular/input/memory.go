package input

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// Room limits the memory of chunks between the reader of a file and its parsers.
type Room struct {
	bytes int64
	free  *semaphore.Weighted
}

func NewRoom(bytes int64) *Room {
	return &Room{bytes: bytes, free: semaphore.NewWeighted(bytes)}
}

// of returns the room that a chunk takes. A chunk that is larger than the limit takes all the room, so that it is
// alone.
func (r *Room) of(buf []byte) int64 { return min(int64(cap(buf)), r.bytes) }

// Take waits until there is room for a chunk.
func (r *Room) Take(ctx context.Context, buf []byte) error { return r.free.Acquire(ctx, r.of(buf)) }

// Give releases the room of a parsed chunk.
func (r *Room) Give(buf []byte) { r.free.Release(r.of(buf)) }
