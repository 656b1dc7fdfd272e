//go:build !amd64

package tabular

// mark is markWords.
func mark(dst []uint64, buf []byte, a, b, c byte) { markWords(dst, buf, a, b, c) }
