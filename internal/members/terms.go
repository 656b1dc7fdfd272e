package members

import (
	"time"

	"roster/internal/audience"
	"roster/internal/lake"
)

// terms decide who is a member at a time.
type terms struct {
	audience.Expiry
	at int64 // epoch microseconds
}

func termsOf(aud *audience.Audience, d *lake.Dataset, at time.Time) (terms, error) {
	renewed, err := d.RefreshedAt(aud)
	return terms{audience.ExpiryOf(aud.TTL(), renewed), at.UnixMicro()}, err
}

// has reports whether who was last seen then is a member.
func (t terms) has(seen int64) bool { return !t.Over(seen, t.at) }
