package tabular

// Limits of a file.
const (
	MaxRecord  = 16 << 20 // bytes of one record with its line end
	MaxColumns = 10_000
	MaxName    = 1024 // bytes of a name as it is written, with its quotes
)

// MaxRaw is how much of a rejected row is kept.
const MaxRaw = 64 << 10

// MaxMemory is the default of Options.MaxMemory.
const MaxMemory = 1 << 30

// A batch ends early when it has so many values or rejects, so that its memory has a bound however short the rows
// of a chunk are and however many columns are wanted.
const (
	BatchValues  = 1 << 20
	BatchRejects = 4096
)
