package value

// Words of eight bytes: the high bit of each byte, and one in each byte.
const (
	HighBits = 0x8080808080808080
	EachByte = 0x0101010101010101
)
