package work

import (
	"context"
	"errors"
	"time"

	"roster/internal/audience"
	"roster/internal/ingest"
	"roster/internal/meta"
)

// runHost is the host of the runs of one audience.
type runHost struct {
	s   *Service
	aud *audience.Audience
	run audience.RunID // "" if no run exists yet
}

var _ ingest.Host = runHost{}

// ReadBefore implements ingest.Host.
func (h runHost) ReadBefore(ctx context.Context, files []audience.PlannedFile) (map[string]bool, error) {
	return h.s.cfg.Store.ReadObjects(ctx, h.aud.ID, files)
}

// Fresh implements ingest.Host.
func (h runHost) Fresh(ctx context.Context, since time.Time) (int64, error) {
	return h.s.fresh(ctx, h.aud, since)
}

// Adopted implements ingest.Host.
func (h runHost) Adopted(ctx context.Context, adoption audience.Run) (seq int64, err error) {
	adoption.UpdatedAt = h.s.now()
	var aud audience.Audience
	recorded := false
	err = h.s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		_, err := tx.Run(ctx, h.aud.Scope, h.aud.ID, adoption.ID)
		if recorded = err == nil; recorded {
			run, err := tx.Run(ctx, h.aud.Scope, h.aud.ID, h.run)
			seq = run.Seq
			return err
		}
		if !errors.Is(err, meta.ErrNotFound) {
			return err
		}
		if seq, err = tx.InsertRun(ctx, adoption, h.run, h.s.cfg.Worker); err != nil {
			return err
		}
		if aud, err = tx.Audience(ctx, h.aud.Scope, h.aud.ID); err != nil {
			return err
		}
		return h.s.events.RunEnded(ctx, tx, &aud, &adoption)
	})
	if err == nil && !recorded {
		h.s.cfg.Changed()
		h.s.cfg.Observer.RunEnded(&adoption)
		h.s.logRun(&aud, &adoption)
	}
	return seq, notSaved(err)
}

// Erased implements ingest.Host.
func (h runHost) Erased(ctx context.Context) (ingest.Erased, error) {
	return h.s.erased(ctx, h.aud.Scope)
}

// Reading implements ingest.Host.
func (h runHost) Reading(path string) (done func()) { return h.s.cfg.Reading(h.run, path) }

// Save implements ingest.Host. The store says whether the lease still holds.
func (h runHost) Save(ctx context.Context, r audience.Run) error {
	r.UpdatedAt = h.s.now()
	return notSaved(h.s.cfg.Store.Update(ctx, func(tx meta.Tx) error { return tx.SaveRun(ctx, r, h.s.cfg.Worker) }))
}

// SaveProgress implements ingest.Host. The pipeline also calls it right before the commit, to check the lease.
func (h runHost) SaveProgress(ctx context.Context, id audience.RunID, p audience.Progress) error {
	return notSaved(h.s.cfg.Store.SaveProgress(ctx, id, h.s.cfg.Worker, p, h.s.now()))
}

// notSaved adds ingest.ErrNotSaved to an error that does not say which worker has the run.
func notSaved(err error) error {
	if err != nil && !notOurs(err) {
		return errors.Join(ingest.ErrNotSaved, err)
	}
	return err
}

// audienceRuns reports which runs of an audience are in progress.
type audienceRuns struct {
	s   *Service
	aud *audience.Audience
}

var _ ingest.AudienceRuns = audienceRuns{}

// Idle implements ingest.AudienceRuns.
func (a audienceRuns) Idle(ctx context.Context) error {
	_, busy, err := a.s.cfg.Store.Runs(ctx, a.aud.Scope, a.aud.ID, audience.InProgress)
	if err == nil && busy > 0 {
		err = ingest.ErrBusy
	}
	return err
}

// InProgress implements ingest.AudienceRuns.
func (a audienceRuns) InProgress(ctx context.Context, id audience.RunID) bool {
	run, err := a.s.cfg.Store.Run(ctx, a.aud.Scope, a.aud.ID, id)
	if errors.Is(err, meta.ErrNotFound) {
		return false
	}
	return err != nil || run.Status == audience.Processing
}
