package tabular

// Words of eight bytes: the high bit of each, and one in each.
const (
	highBits = 0x8080808080808080
	eachByte = 0x0101010101010101
)
