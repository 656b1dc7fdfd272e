package audience

import "time"

// ExitedFor is how long a membership that ended is still shown as exited.
const ExitedFor = 30 * 24 * time.Hour

// StillShown reports whether a membership that ended is still shown, as exited.
func StillShown(ended, now time.Time) bool { return now.Before(ended.Add(ExitedFor)) }

// Expiry says when the members of an audience expire: a TTL after the later of the run that last brought the member and the last run that
// renewed everybody. Times are microseconds since 1970, as in the rows of a dataset.
type Expiry struct {
	Renewed int64 // when a run last renewed everybody; 0 when none did
	TTL     int64 // microseconds
}

// ExpiryOf returns the rule for a TTL and the time of the last run that renewed everybody, the zero time when none did.
func ExpiryOf(ttl time.Duration, renewed time.Time) Expiry {
	e := Expiry{TTL: ttl.Microseconds()}
	if !renewed.IsZero() {
		e.Renewed = renewed.UnixMicro()
	}
	return e
}

// Suspended returns the rule by which nobody expires.
func (e Expiry) Suspended() Expiry {
	e.TTL = 1 << 60
	return e
}

// Qualified returns when a member was last brought, by name or by a run that renewed everybody. seen is when the member was last brought by name.
func (e Expiry) Qualified(seen int64) int64 { return max(seen, e.Renewed) }

// At returns when a member expires who was last brought by name at seen.
func (e Expiry) At(seen int64) int64 { return e.Qualified(seen) + e.TTL }

// Over reports whether a member who was last brought by name at seen has expired by now. Somebody who expires now has expired.
func (e Expiry) Over(seen, now int64) bool { return e.At(seen) <= now }
