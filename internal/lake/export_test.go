package lake

// Bounds returns the bounds of a data file's columns, by field id, as the table records them.
func Bounds(f DataFile) (lower, upper map[int][]byte) {
	return f.file.LowerBoundValues(), f.file.UpperBoundValues()
}
