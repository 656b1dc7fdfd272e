package sqlstore

import (
	"context"
	"time"
)

// The longest waits that a right clock sets.
const (
	longestLease    = time.Minute
	longestDelivery = 4 * time.Hour
	longestHold     = 10 * time.Minute
)

// ResetFutureTimes implements meta.Tx. A worker that lives renews its lease before the end that it is given here.
func (t *tx) ResetFutureTimes(ctx context.Context, now time.Time) error {
	lease, delivery, hold := now.Add(longestLease), now.Add(longestDelivery), now.Add(longestHold)
	for _, u := range []struct {
		text string
		args []any
	}{
		{`UPDATE tasks SET lease_until = $1 WHERE status = 'PROCESSING' AND lease_until > $1`, []any{asTime(&lease)}},
		{`UPDATE runs SET lease_until = $1 WHERE status = 'PROCESSING' AND lease_until > $1`, []any{asTime(&lease)}},
		{`UPDATE deliveries SET next_at = $1 WHERE state = 'pending' AND next_at > $2`, []any{asTime(&now), asTime(&delivery)}},
		{`UPDATE answers SET begun_at = $1 WHERE begun_at > $1`, []any{asTime(&now)}},
		{`UPDATE audiences SET maintained_at = $1 WHERE maintained_at > $1`, []any{asTime(&now)}},
		{`UPDATE uploads SET updated_at = $1 WHERE updated_at > $1`, []any{asTime(&now)}},
		{`UPDATE quota_holds SET lease_until = $1 WHERE lease_until > $1`, []any{asTime(&hold)}},
	} {
		if _, err := t.exec(ctx, "times that lie ahead", u.text, u.args...); err != nil {
			return err
		}
	}
	return nil
}
