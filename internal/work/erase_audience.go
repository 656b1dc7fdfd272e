package work

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/ingest"
	"roster/internal/job"
	"roster/internal/lake"
	"roster/internal/launch"
	"roster/internal/meta"
)

// erasedAtOnce is the number of audiences that erasures process between two records of their progress.
const erasedAtOnce = 100

// audiences erases the identities from one audience after the other, in the order of their creation. Deleted audiences
// must be cleaned up.
func (g *erasures) audiences(ctx context.Context, waiting map[audience.ID]bool) error {
	for {
		q := audience.AudienceQuery{Limit: erasedAtOnce, NoTotal: true}
		p := g.progress()
		if p.After != "" {
			q.After = &audience.Position{At: p.AfterAt, ID: string(p.After)}
		}
		list, _, err := g.s.cfg.Store.Audiences(ctx, g.leader().Scope, q)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return g.cleanedUpAll(ctx)
		}
		for i := range list {
			if waiting[list[i].ID] {
				return errLater
			}
			if err := g.audience(ctx, &list[i]); err != nil {
				waiting[list[i].ID] = true
				return err
			}
			p := g.progress()
			begun := p.Current != nil || len(g.changed) > 0
			p.After, p.AfterAt, p.Current, p.Replaced, p.Failures, p.RetryAt = list[i].ID, list[i].CreatedAt, nil, nil, 0, time.Time{}
			if begun || i == len(list)-1 {
				if err := g.save(ctx, nil); err != nil {
					return err
				}
			}
		}
	}
}

func (g *erasures) cleanedUpAll(ctx context.Context) error {
	uncleaned, err := g.s.cfg.Store.AwaitingCleanup(ctx)
	if err != nil {
		return err
	}
	for _, d := range uncleaned {
		if d.Scope == g.leader().Scope {
			return errLater
		}
	}
	return nil
}

// audience erases the identities from an audience. The progress records each step, so that the work can continue from
// there.
func (g *erasures) audience(ctx context.Context, aud *audience.Audience) error {
	now := g.current(aud)
	if (now == nil || now.RunID == "") && len(g.progress().Replaced) == 0 {
		if err := g.earlierRun(ctx, aud); err != nil {
			return err
		}
		live, err := g.s.cfg.Pipeline.Live(ctx, lake.TableOf(aud.Scope, aud.ID), aud, g.keys)
		if errors.Is(err, lake.ErrNotExist) {
			return g.still(ctx, aud, err)
		}
		if err != nil {
			return err
		}
		if live {
			return g.startRun(ctx, aud)
		}
	}
	if now != nil && now.RunID != "" && !now.Counted {
		if err := g.runEnded(ctx, aud, now); err != nil {
			return err
		}
	}
	return g.purge(ctx, aud)
}

// current returns the progress in the audience, nil if there is none. The progress in another audience, which was deleted
// in the meantime, is dropped.
func (g *erasures) current(aud *audience.Audience) *audience.ErasingAudience {
	p := g.progress()
	if list := p.Audiences; p.Current == nil && len(list) > 0 && list[len(list)-1].ID == aud.ID {
		// An earlier version of Roster began with the audience.
		p.Current = &audience.ErasingAudience{ID: aud.ID, Labels: aud.Labels, RunID: list[len(list)-1].RunID}
	}
	if p.Current == nil || p.Current.ID != aud.ID {
		p.Current, p.Replaced, p.Failures, p.RetryAt = nil, nil, 0, time.Time{}
	}
	return p.Current
}

// begin returns the progress in the audience.
func (g *erasures) begin(aud *audience.Audience) *audience.ErasingAudience {
	p := g.progress()
	if p.Current == nil {
		p.Current = &audience.ErasingAudience{ID: aud.ID, Labels: aud.Labels}
	}
	return p.Current
}

// results returns the results of erasure i in the audience, which are saved next.
func (g *erasures) results(i int, aud *audience.Audience) *audience.ErasedAudience {
	g.changed[i] = true
	p := &g.all[i].Progress
	at := slices.IndexFunc(p.Audiences, func(a audience.ErasedAudience) bool { return a.ID == aud.ID })
	if at < 0 {
		at = len(p.Audiences)
		p.Audiences = append(slices.Clip(p.Audiences), audience.ErasedAudience{ID: aud.ID, Labels: aud.Labels})
	}
	return &p.Audiences[at]
}

// earlierRun returns errLater while a run is in progress that was started before one of the erasures, because that run
// may have read the identity already and would commit it. A run that starts later is a later import.
func (g *erasures) earlierRun(ctx context.Context, aud *audience.Audience) error {
	list, _, err := g.s.cfg.Store.Runs(ctx, aud.Scope, aud.ID, audience.InProgress)
	if err == nil && slices.ContainsFunc(list, func(r audience.Run) bool { return !r.CreatedAt.After(g.latest) }) {
		err = errLater
	}
	return err
}

// still returns nil if the audience is deleted: its dataset is removed before its row. Otherwise the dataset is gone for
// the given reason.
func (g *erasures) still(ctx context.Context, aud *audience.Audience, why error) error {
	_, err := g.s.cfg.Store.Audience(ctx, aud.Scope, aud.ID)
	switch {
	case errors.Is(err, meta.ErrNotFound):
		return nil
	case err == nil:
		return fmt.Errorf("audience %s has no dataset: %w", aud.ID, why)
	}
	return err
}

// longestEraseWait is the longest wait between two attempts of an erasure.
const longestEraseWait = time.Hour

// startRun starts the run that removes the members, as soon as no other run is in progress. One transaction records the
// run and the progress.
func (g *erasures) startRun(ctx context.Context, aud *audience.Audience) error {
	now := g.s.now()
	if wait := g.progress().RetryAt.Sub(now); wait > 0 && wait <= longestEraseWait { // longer: the clock was ahead
		return errLater
	}
	reason := "erasure " + string(g.leader().ID)
	if n := len(g.all) - 1; n > 0 {
		reason = fmt.Sprintf("%s and %d others", reason, n)
	}
	run := launch.NewRun(aud, audience.SystemUser, audience.RunRequest{Kind: audience.RunErase, Erasure: g.leader().ID, Differential: true, WindowEnd: now,
		Reason: reason}, now)
	before := g.progress().Current
	g.progress().Current = &audience.ErasingAudience{ID: aud.ID, Labels: aud.Labels, RunID: run.ID}
	err := g.save(ctx, func(tx meta.Tx) error {
		if err := tx.CreateRun(ctx, &run); err != nil {
			return err
		}
		return g.s.cfg.Jobs.Enqueue(ctx, tx, job.Job{Kind: job.Run, ID: string(run.ID)})
	})
	if err != nil {
		g.progress().Current = before
	}
	if err == nil || errors.Is(err, meta.ErrRunInProgress) {
		return errLater
	}
	return err
}

// runEnded counts the members that the run removed, once the run has ended.
func (g *erasures) runEnded(ctx context.Context, aud *audience.Audience, now *audience.ErasingAudience) error {
	run, err := g.s.cfg.Store.Run(ctx, aud.Scope, aud.ID, now.RunID)
	switch {
	case errors.Is(err, meta.ErrNotFound):
		return errLater // deleted since the list was read
	case err != nil:
		return err
	case run.Status == audience.Processing:
		return errLater
	case run.Status == audience.Failed:
		return g.runFailed(ctx, &run, now)
	}
	removed, err := g.s.cfg.Pipeline.Erased(ctx, lake.TableOf(aud.Scope, aud.ID), run.ID, g.keys)
	switch {
	case errors.Is(err, lake.ErrNotExist):
		return g.still(ctx, aud, err)
	case errors.Is(err, ingest.ErrNotKept) && len(g.keys) == 1:
		removed = map[identity.Key]int64{g.people[0].Key: run.Result.Members.Removed}
	case errors.Is(err, ingest.ErrNotKept):
		g.s.logOf(aud.Scope).Warn("it is not known how many members an erasure removed for each identity", "run", run.ID, "audience", aud.ID, "error", err)
	case err != nil:
		return err
	}
	g.leader().Error, now.Counted = nil, true
	for key, n := range removed {
		for _, i := range g.byKey[key] {
			result := g.results(i, aud)
			result.RunID, result.Members = run.ID, result.Members+n
		}
	}
	return nil
}

// runFailed makes another run start: at once after the first failure, then after growing waits of up to an hour.
func (g *erasures) runFailed(ctx context.Context, run *audience.Run, now *audience.ErasingAudience) error {
	p := g.progress()
	p.RetryAt = g.s.now().Add(min(time.Duration(p.Failures)*time.Duration(p.Failures)*time.Minute, longestEraseWait))
	p.Failures++
	g.leader().Error = audience.Errorf(audience.Impossible, "run %s of audience %s, which removes the member, failed: %v; another one will be started", run.ID, run.AudienceID, run.Error)
	now.RunID = ""
	if err := g.save(ctx, nil); err != nil {
		return err
	}
	return errLater
}

// purge removes the files of the audience that contain the identities.
func (g *erasures) purge(ctx context.Context, aud *audience.Audience) error {
	rejects, err := g.s.cfg.Pipeline.Purge(ctx, ingest.PurgeSpec{
		Table: lake.TableOf(aud.Scope, aud.ID), Audience: aud, People: g.people, Host: purgeHost{audienceRuns{g.s, aud}, g},
		Doomed: g.progress().Replaced,
	})
	for key, n := range rejects {
		for _, i := range g.byKey[key] {
			g.results(i, aud).Rejects += n
		}
	}
	if err != nil && len(rejects) > 0 {
		return errors.Join(err, g.save(ctx, nil))
	}
	if errors.Is(err, lake.ErrNotExist) {
		return g.still(ctx, aud, err)
	}
	return err
}

// purgeHost is the host of the purge of one audience by erasures.
type purgeHost struct {
	audienceRuns
	g *erasures
}

var _ ingest.PurgeHost = purgeHost{}

// SavePurge implements ingest.PurgeHost.
func (h purgeHost) SavePurge(ctx context.Context, plan ingest.PurgePlan) error {
	return h.g.note(ctx, h.aud, plan)
}

// note records what a purge is going to remove.
func (g *erasures) note(ctx context.Context, aud *audience.Audience, plan ingest.PurgePlan) error {
	before, err := g.s.cfg.Store.VersionsDroppedBy(ctx, g.leader().ID)
	if err != nil {
		return err
	}
	lost := map[audience.RunID]audience.DroppedVersion{}
	for _, v := range before {
		if v.Audience == aud.ID {
			lost[v.Run] = v
		}
	}
	for _, v := range plan.Versions {
		lost[v.Version] = audience.DroppedVersion{Audience: aud.ID, Run: v.Version, SnapshotID: v.ID, At: v.Time, Erasure: g.leader().ID}
	}
	for key := range plan.Found {
		for _, i := range g.byKey[key] {
			result := g.results(i, aud)
			result.Versions, result.Files, result.By = len(lost), len(plan.Doomed), g.leader().ID
		}
	}
	g.begin(aud)
	g.progress().Replaced = plan.Doomed
	return g.save(ctx, func(tx meta.Tx) error { return tx.AddDroppedVersions(ctx, slices.Collect(maps.Values(lost))) })
}
