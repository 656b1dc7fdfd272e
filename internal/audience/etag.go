package audience

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Etag names what the audience is like now, as an HTTP entity tag with its quotes: it changes with everything of it
// that clients see, also when a run ends.
func (a *Audience) Etag() string {
	seen := *a
	seen.MaintainedAt = time.Time{}
	text, err := json.Marshal(seen)
	if err != nil {
		panic(err) // there is nothing in it but texts, numbers and times of this age
	}
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}
