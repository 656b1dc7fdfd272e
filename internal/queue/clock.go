package queue

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// ResetFutureTimes makes jobs due whose waiting time was set by a clock that was ahead, and ends a River leadership that would
// last until such a time.
func (q *Queue) ResetFutureTimes(ctx context.Context) error {
	now := time.Now().UTC()
	ahead := now.Add(2 * longestWait)
	var at, end any = now, ahead
	dollar := strings.NewReplacer()
	if q.dialect == SQLite {
		const form = "2006-01-02 15:04:05.000" // River's format, in which the order of texts is the order of times
		at, end, dollar = now.Format(form), ahead.Format(form), strings.NewReplacer("$", "?")
	}
	_, err := q.db.ExecContext(ctx, dollar.Replace(`UPDATE river_job SET scheduled_at = $1 WHERE state IN ('available', 'retryable', 'scheduled') AND scheduled_at > $2`), at, end)
	if err == nil {
		_, err = q.db.ExecContext(ctx, dollar.Replace(`DELETE FROM river_leader WHERE expires_at > $1`), end)
	}
	if err != nil {
		return fmt.Errorf("make jobs due that wait for a time of a wrong clock: %w", err)
	}
	return nil
}
