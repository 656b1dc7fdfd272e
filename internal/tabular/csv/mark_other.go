//go:build !amd64

package csv

// mark is markWords.
func mark(dst []uint64, buf []byte, a, b, c byte) { markWords(dst, buf, a, b, c) }
