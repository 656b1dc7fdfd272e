package tabular

import "runtime"

const (
	DefaultChunk = 1 << 20
	minChunk     = 16
	maxChunk     = 1 << 30
	chunkMemory  = 64 << 20
)

// WithDefaults returns the options with each value in its range.
func (o Options) WithDefaults() Options {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.ChunkBytes <= 0 {
		o.ChunkBytes = DefaultChunk
	}
	o.ChunkBytes = min(max(o.ChunkBytes, minChunk), maxChunk)
	if o.MaxMemory <= 0 {
		o.MaxMemory = MaxMemory
	}
	if o.ChunkMemory <= 0 {
		o.ChunkMemory = chunkMemory
	}
	return o
}
