package source

import (
	"time"

	"roster/internal/audience"
)

// SettleRule is the rule for when a file is considered completely written. A file that is being written has a recent
// modification time, or changes between two checks.
type SettleRule struct {
	// Age is the time for which a file must not have changed. 0 accepts every file at once.
	Age time.Duration
	// Limit is the maximum time that a run waits for all its files together.
	Limit time.Duration
	// Uploads knows files that settled at once. Optional.
	Uploads Uploads
}

// Uploads knows the files that were uploaded to a store as a whole.
type Uploads interface {
	// Complete reports whether a version of a file is known to be complete.
	Complete(path, version string) bool
}

// For returns the rule for the files of a store. In a store whose files appear complete, no waiting is necessary.
func (r SettleRule) For(store Store) SettleRule {
	if _, ok := store.(Atomic); ok {
		r.Age = 0
	}
	return r
}

// Settled reports whether a file has settled.
func (r SettleRule) Settled(f audience.PlannedFile, now time.Time) bool {
	return r.Age == 0 || now.Sub(f.ModifiedAt) >= r.Age || r.Uploads != nil && r.Uploads.Complete(f.Path, f.Version)
}

// SettlesAt returns the time at which a file has been unchanged for the age. If another machine's clock set a
// modification time in the future, the age counts from now.
func (r SettleRule) SettlesAt(f audience.PlannedFile, now time.Time) time.Time {
	if f.ModifiedAt.After(now) {
		return now.Add(r.Age)
	}
	return f.ModifiedAt.Add(r.Age)
}
