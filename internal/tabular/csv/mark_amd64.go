package csv

// mark does what markWords does, with the vector instructions that every amd64 processor has (SSE2).
//
//go:noescape
func mark(dst []uint64, buf []byte, a, b, c byte)
