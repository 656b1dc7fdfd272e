package tabular

import "runtime"

const (
	defaultChunk = 1 << 20
	minChunk     = 16
	maxChunk     = 1 << 30
	chunkMemory  = 64 << 20
)

// withDefaults returns the options with each value in its range.
func (o Options) withDefaults() Options {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.ChunkBytes <= 0 {
		o.ChunkBytes = defaultChunk
	}
	o.ChunkBytes = min(max(o.ChunkBytes, minChunk), maxChunk)
	if o.MaxMemory <= 0 {
		o.MaxMemory = maxMemory
	}
	if o.ChunkMemory <= 0 {
		o.ChunkMemory = chunkMemory
	}
	return o
}
