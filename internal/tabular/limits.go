package tabular

// Limits of a file.
const (
	maxRecord  = 16 << 20 // bytes of one record with its line end
	maxColumns = 10_000
	maxName    = 1024 // bytes of a name as it is written, with its quotes
)

// maxRaw is how much of a rejected row is kept.
const maxRaw = 64 << 10

// maxMemory is the default of Options.MaxMemory.
const maxMemory = 1 << 30

// A batch ends early when it has so many values or rejects, so that its memory has a bound however short the rows
// of a chunk are and however many columns are wanted.
const (
	batchValues  = 1 << 20
	batchRejects = 4096
)
