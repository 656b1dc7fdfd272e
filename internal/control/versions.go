package control

import (
	"context"
	"errors"
	"slices"
	"time"

	"roster/internal/audience"
	"roster/internal/meta"
)

// Version is the audience as it was after a run. It can be restored until it expires.
type Version struct {
	Run        audience.Run
	SnapshotID int64 // of the dataset
	Current    bool
	ExpiresAt  time.Time // zero for the current one
}

// Versions lists the versions of an audience, newest first, and returns their number.
func (s *Service) Versions(ctx context.Context, a audience.Actor, id audience.ID, offset, limit int) ([]Version, int, error) {
	if err := allow(a, toRead); err != nil {
		return nil, 0, err
	}
	aud, err := s.audience(ctx, s.cfg.Store, a, id)
	if err != nil {
		return nil, 0, err
	}
	dataset, err := s.dataset(ctx, &aud)
	if err != nil {
		return nil, 0, err
	}
	if dataset, err = dataset.WithHistory(ctx); err != nil {
		return nil, 0, err
	}
	all := dataset.Versions()
	slices.Reverse(all)
	var list []Version
	for i := min(max(offset, 0), len(all)); i < len(all) && len(list) < limit; i++ {
		v := Version{SnapshotID: all[i].ID, Current: i == 0}
		if i > 0 {
			v.ExpiresAt = all[i-1].Time.Add(s.cfg.UndoWindow)
		}
		if v.Run, err = s.cfg.Store.Run(ctx, a.Scope, aud.ID, all[i].Version); errors.Is(err, meta.ErrNotFound) {
			continue // the audience was deleted meanwhile
		}
		if err != nil {
			return nil, 0, err
		}
		v.Run = aud.Hidden(a.Grants).Run(v.Run)
		list = append(list, v)
	}
	return list, len(all), nil
}

// maxRemovedVersions is the largest number of versions that RemovedVersions returns.
const maxRemovedVersions = 100

// RemovedVersions returns the newest versions of an audience that erasures have removed and that could otherwise be
// restored, newest first.
func (s *Service) RemovedVersions(ctx context.Context, a audience.Actor, id audience.ID) ([]audience.DroppedVersion, error) {
	if err := allow(a, toRead); err != nil {
		return nil, err
	}
	aud, err := s.audience(ctx, s.cfg.Store, a, id)
	if err != nil {
		return nil, err
	}
	dropped, err := s.cfg.Store.DroppedVersions(ctx, aud.ID)
	if err != nil {
		return nil, err
	}
	after := s.now().Add(-s.cfg.UndoWindow)
	dropped = slices.DeleteFunc(dropped, func(d audience.DroppedVersion) bool { return d.At.Before(after) })
	slices.Reverse(dropped)
	return dropped[:min(len(dropped), maxRemovedVersions)], nil
}

// droppedVersion returns an error that names the erasure that removed the version of a run, nil if none did.
func (s *Service) droppedVersion(ctx context.Context, id audience.ID, run audience.RunID) error {
	dropped, err := s.cfg.Store.DroppedVersions(ctx, id)
	if err != nil {
		return err
	}
	for _, d := range dropped {
		if d.Run == run {
			return audience.Errorf(audience.Impossible, "the version of run %s no longer exists: erasure %s removed it, because its files contained a person who was erased, or another program had removed files of it; "+
				"choose one of the audience's versions", run, d.Erasure)
		}
	}
	return nil
}

// Rollback starts a run that restores the audience to the state after an earlier run. It uses only DryRun and Reason of
// req.
func (s *Service) Rollback(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID, req audience.RunRequest) (started audience.Run, err error) {
	d, err := s.begin(ctx, a, allow(a, toWrite), audience.RunRollBack, string(id))
	if err != nil {
		return audience.Run{}, err
	}
	defer d.end(ctx, &err)
	r, err := s.Run(ctx, a, id, run)
	if err != nil {
		return audience.Run{}, err
	}
	if !r.Committed() {
		return audience.Run{}, audience.Errorf(audience.Impossible, "run %s left no version to restore: it is %s", r.ID, r.Outcome())
	}
	dataset, err := s.dataset(ctx, &audience.Audience{ID: r.AudienceID, Scope: r.Scope})
	if err != nil {
		return audience.Run{}, err
	}
	if dataset, err = dataset.WithHistory(ctx); err != nil {
		return audience.Run{}, err
	}
	snap, ok := dataset.FindVersion(r.ID)
	if !ok {
		if err := s.droppedVersion(ctx, r.AudienceID, r.ID); err != nil {
			return audience.Run{}, err
		}
		return audience.Run{}, audience.Errorf(audience.Impossible, "the version of run %s no longer exists: versions are kept for %s after they are replaced", r.ID, s.cfg.UndoWindow)
	}
	if now, _ := dataset.Current(); now.ID == snap.ID {
		return audience.Run{}, audience.Errorf(audience.Impossible, "the audience is as it was after run %s; there is nothing to undo", r.ID)
	}
	return s.startRun(ctx, d, id, audience.RunRequest{Kind: audience.RunRollback, Of: r.ID, DryRun: req.DryRun, Reason: req.Reason})
}
