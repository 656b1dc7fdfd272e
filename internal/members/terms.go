package members

import (
	"time"

	"roster/internal/audience"
	"roster/internal/ingest"
	"roster/internal/lake"
)

// terms decide who is a member at a time. Times are epoch microseconds.
type terms struct {
	at        int64
	refreshed int64 // when a full run last brought every member; 0 when none did
	ttl       int64 // microseconds
}

func termsOf(aud *audience.Audience, d *lake.Dataset, at time.Time) (terms, error) {
	t := terms{at: at.UnixMicro(), ttl: aud.TTL().Microseconds()}
	refreshed, err := ingest.RefreshedAt(d)
	if err != nil || refreshed.IsZero() {
		return t, err
	}
	t.refreshed = refreshed.UnixMicro()
	return t, nil
}

// qualified is when the member was last brought, by name or by a full run.
func (t terms) qualified(seen int64) int64 { return max(seen, t.refreshed) }

func (t terms) expires(seen int64) int64 { return t.qualified(seen) + t.ttl }

// has reports whether who was last seen then is a member.
func (t terms) has(seen int64) bool { return t.at < t.expires(seen) }
