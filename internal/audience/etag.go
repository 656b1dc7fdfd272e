package audience

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Etag returns an HTTP entity tag, with quotes, of the audience's current state. It changes with everything that
// clients see of the audience, also when a run ends.
func (a *Audience) Etag() string {
	seen := *a
	seen.MaintainedAt = time.Time{}
	text, err := json.Marshal(seen)
	if err != nil {
		panic(err) // there are only texts, numbers and times
	}
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}
