package sqlstore

import (
	"context"
	"time"
)

// The longest waits that a right clock sets.
const (
	longestLease    = time.Minute
	longestDelivery = 4 * time.Hour
)

// ResetFutureTimes implements meta.Tx. A worker that lives renews its lease before the end that it is given here.
func (t *tx) ResetFutureTimes(ctx context.Context, now time.Time) error {
	lease, delivery := now.Add(longestLease), now.Add(longestDelivery)
	for _, u := range []struct {
		text string
		args []any
	}{
		{`UPDATE tasks SET lease_until = $1 WHERE status = 'PROCESSING' AND lease_until > $1`, []any{asTime(&lease)}},
		{`UPDATE runs SET lease_until = $1 WHERE status = 'PROCESSING' AND lease_until > $1`, []any{asTime(&lease)}},
		{`UPDATE deliveries SET next_at = $1 WHERE state = 'pending' AND next_at > $2`, []any{asTime(&now), asTime(&delivery)}},
		{`UPDATE answers SET begun_at = $1 WHERE begun_at > $1`, []any{asTime(&now)}},
		{`UPDATE audiences SET maintained_at = $1 WHERE maintained_at > $1`, []any{asTime(&now)}},
	} {
		if _, err := t.exec(ctx, "times that lie ahead", u.text, u.args...); err != nil {
			return err
		}
	}
	return nil
}
