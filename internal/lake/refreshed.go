package lake

import (
	"fmt"
	"strconv"
	"time"

	"roster/internal/audience"
)

// PropRefreshed is the entry of a run's snapshot with the time of Snapshot.RefreshedAt, in epoch seconds.
const PropRefreshed = "roster.refreshed-at"

// RefreshedAt returns the last time at which a full run contained every member of an audience's dataset, or a run
// extended the TTL of every member, in whole seconds. If there was no such run, it returns the zero time. A run records
// the time in its snapshot (see Basis) and in the metadata store, from which aud was read. The snapshot's time applies
// while the snapshot is current. If another program committed later, it may have removed the snapshots of the last
// runs, so the later of the two times applies. The error is ErrRefreshLost if neither the table nor the metadata store
// has a run.
func (d *Dataset) RefreshedAt(aud *audience.Audience) (time.Time, error) {
	snap, known := d.Basis()
	now, ran := d.Current()
	if ran && !known && aud.LastRun == "" {
		return time.Time{}, ErrRefreshLost
	}
	at, err := snap.RefreshedAt()
	if ran && now.Version == "" && aud.RefreshedAt.After(at) {
		at = aud.RefreshedAt.Truncate(time.Second)
	}
	return at, err
}

// ErrRefreshLost means that another program removed the snapshots of all runs from a table, and the metadata store has
// no run either.
var ErrRefreshLost = audience.Errorf(audience.Impossible, "another program changed the audience's dataset and removed the snapshots of all runs, "+
	"and the metadata has no run of the audience, so Roster cannot tell which members have expired; start a full run, which renews every member")

// RefreshedAt returns the time of Dataset.RefreshedAt that a run's snapshot contains; zero if it contains none.
func (s Snapshot) RefreshedAt() (time.Time, error) {
	text := s.Props[PropRefreshed]
	if text == "" {
		return time.Time{}, nil
	}
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("the dataset's snapshot %d has an unreadable %s: %w", s.ID, PropRefreshed, err)
	}
	return time.Unix(at, 0), nil
}
