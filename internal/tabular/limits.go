package tabular

// Limits of a file.
const (
	MaxRecord  = 16 << 20 // bytes of one record with its line end
	MaxColumns = 10_000
	MaxName    = 1024 // bytes of a name as written, with its quotes
)

// MaxRaw is the largest part of a rejected row that is kept, in bytes.
const MaxRaw = 64 << 10

// MaxMemory is the default of Options.MaxMemory.
const MaxMemory = 1 << 30

// A batch ends early at this number of values or rejects. So its memory is bounded, even if rows are very short or
// there are very many columns.
const (
	BatchValues  = 1 << 20
	BatchRejects = 4096
)
