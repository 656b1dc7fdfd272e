package audience

import (
	"crypto/sha1" //nolint:gosec // a UUID of version 5 is made by it
	"encoding/hex"
)

// flowSpace is the name space of the audiences' flow ids.
var flowSpace = [16]byte{0x5f, 0x0c, 0x7f, 0x2e, 0x3a, 0x0b, 0x4c, 0x57, 0x9f, 0x43, 0x6d, 0x1f, 0x0f, 0x6f, 0x6b, 0x51}

// FlowID returns the id of an audience's flow, the same for all of its runs: a UUID of version 5 (RFC 9562).
func FlowID(id ID) string {
	sum := sha1.Sum(append(flowSpace[:], id...)) //nolint:gosec // as above
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x50, u[8]&0x3f|0x80
	text := hex.EncodeToString(u)
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
