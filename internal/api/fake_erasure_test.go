package api

import (
	"context"
	"time"

	"roster/internal/audience"
	"roster/internal/control"
)

// The erasures of the fake. otherID has ended, taskID has not.

func stagedErasure(id audience.ErasureID) audience.Erasure {
	e := audience.Erasure{ID: id, Scope: testScope, Namespace: "Email", XID: "x1", Status: audience.Success, CreatedBy: clientID, CreatedAt: testNow, UpdatedAt: testNow, EndedAt: testNow,
		Progress: audience.ErasureProgress{Audiences: []audience.ErasedAudience{{ID: audienceID, RunID: runID, Members: 1, Versions: 2, Files: 3, Rejects: 4, By: otherID,
			Dropped: []audience.DroppedVersion{{Audience: audienceID, Run: runID, SnapshotID: 1 << 60, At: testNow, Erasure: otherID}}}}}}
	if id == otherID {
		e.Progress.Order = &audience.WorkOrder{Name: "n", Erasures: []audience.ErasureID{otherID, absentID}}
	}
	if id == taskID {
		e.Status, e.Sealed = audience.Processing, "sealed text"
	}
	return e
}

func (f *fake) Erase(_ context.Context, _ audience.Actor, who control.IdentityRef) (audience.Erasure, error) {
	return stagedErasure(taskID), f.called(who)
}

func (f *fake) Order(_ context.Context, _ audience.Actor, who []control.IdentityRef, order audience.WorkOrder) (audience.Erasure, error) {
	e := stagedErasure(taskID)
	for range who {
		order.Erasures = append(order.Erasures, e.ID)
	}
	e.Progress.Order = &order
	return e, f.called(who)
}

func (f *fake) Erasure(_ context.Context, _ audience.Actor, id audience.ErasureID) (audience.Erasure, error) {
	if err := f.called(id); err != nil {
		return audience.Erasure{}, err
	}
	if id == absentID {
		return audience.Erasure{}, absent("erasure", string(id))
	}
	return stagedErasure(id), nil
}

func (f *fake) OrderState(_ context.Context, _ audience.Actor, order *audience.WorkOrder) (processing int, updated time.Time, err error) {
	return 0, testNow, f.called(order)
}

func (f *fake) Certificate(ctx context.Context, a audience.Actor, id audience.ErasureID) (audience.Certificate, error) {
	e, err := f.Erasure(ctx, a, id)
	if err != nil {
		return audience.Certificate{}, err
	}
	return e.Certificate()
}

func (f *fake) Erasures(_ context.Context, _ audience.Actor, after *audience.Position, limit int) (list []audience.Erasure, err error) {
	for range min(limit, 3) {
		list = append(list, stagedErasure(otherID))
	}
	return list, f.called(after)
}
