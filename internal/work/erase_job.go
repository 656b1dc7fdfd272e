package work

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/ingest"
	"roster/internal/job"
	"roster/internal/lake"
	"roster/internal/launch"
	"roster/internal/meta"
	"roster/internal/profile"
)

// erasedAtOnce is the number of audiences that an erasure processes between two records of its progress.
const erasedAtOnce = 100

// erasing returns the jobs of the unfinished erasures.
func (s *Service) erasing(ctx context.Context) ([]job.Job, error) {
	list, err := s.cfg.Store.UnfinishedErasures(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for unfinished erasures: %w", err)
	}
	var jobs []job.Job
	for _, e := range list {
		jobs = append(jobs, job.Job{Kind: job.Erase, ID: string(e.ID)})
	}
	return jobs, nil
}

// erasure is an erasure in progress.
type erasure struct {
	s       *Service
	e       audience.Erasure
	keys    identity.Keys
	who     audience.ErasedIdentity
	sandbox uint32
}

// errLater ends a job of an erasure that has to wait.
var errLater = errors.New("work: the erasure waits")

// doErase does the part of an erasure that is possible now; Recover enqueues the rest.
func (s *Service) doErase(ctx context.Context, name string) error {
	id := audience.ErasureID(name)
	e, err := s.unfinishedErasure(ctx, id)
	if errors.Is(err, meta.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	worksIn(ctx, e.Scope)
	err = s.erase(ctx, e)
	if errors.Is(err, errLater) || errors.Is(err, ingest.ErrBusy) || notOurs(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("erasure %s: %w", id, err)
	}
	return nil
}

// unfinishedErasure returns an erasure that has not ended.
func (s *Service) unfinishedErasure(ctx context.Context, id audience.ErasureID) (audience.Erasure, error) {
	list, err := s.cfg.Store.UnfinishedErasures(ctx)
	if err != nil {
		return audience.Erasure{}, fmt.Errorf("look for unfinished erasures: %w", err)
	}
	i := slices.IndexFunc(list, func(e audience.Erasure) bool { return e.ID == id })
	if i < 0 {
		return audience.Erasure{}, meta.ErrNotFound
	}
	return list[i], nil
}

func (s *Service) erase(ctx context.Context, e audience.Erasure) error {
	w := &erasure{s: s, e: e}
	var err error
	if w.who, err = s.openIdentity(&e); err != nil {
		return err
	}
	w.keys = identity.KeysOf(e.Namespace, w.who.Given, w.who.Normal)
	sandbox, err := s.cfg.Store.Sandbox(ctx, e.Scope)
	if errors.Is(err, meta.ErrNotFound) {
		return w.end(ctx) // and nothing of the sandbox is left
	}
	if err != nil {
		return err
	}
	w.sandbox = sandbox.Num
	if err := w.removeFromProfile(ctx); err != nil {
		return err
	}
	if err := w.audiences(ctx); err != nil {
		return err
	}
	return w.end(ctx)
}

// removeFromProfile removes the identity, and the members with it, from the profile store. If a run in progress writes them again,
// they are in its dataset, from which the erase run removes them.
func (w *erasure) removeFromProfile(ctx context.Context) error {
	if w.e.Progress.Forgotten {
		return nil
	}
	others := make([]profile.Member, len(w.e.Progress.Members))
	for i, m := range w.e.Progress.Members {
		others[i].Audience = m.Audience
		if _, err := hex.Decode(others[i].Key[:], []byte(m.Key)); err != nil {
			return fmt.Errorf("its members cannot be read: %w", err)
		}
	}
	for _, key := range w.keys.All() {
		if err := w.s.cfg.Profile.RemoveIdentity(ctx, w.sandbox, key); err != nil {
			return err
		}
	}
	if err := w.s.cfg.Profile.RemoveMembers(ctx, w.sandbox, w.keys.Key, others); err != nil {
		return err
	}
	w.e.Progress.Forgotten, w.e.Progress.Members = true, nil
	return w.save(ctx)
}

func (w *erasure) save(ctx context.Context) error {
	w.e.UpdatedAt = w.s.now()
	e := w.e
	err := w.s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		e = w.e
		return tx.SaveErasure(ctx, &e)
	})
	if err == nil {
		w.e = e
	}
	return err
}

// end ends the erasure and removes the last record of the identity.
func (w *erasure) end(ctx context.Context) error {
	w.e.Status, w.e.Error = audience.Success, nil
	w.e.Sealed, w.e.EndedAt = "", w.s.now()
	w.e.Progress.Members, w.e.Progress.Replaced = nil, nil
	if err := w.save(ctx); err != nil {
		return err
	}
	w.s.logErasure(&w.e)
	return nil
}

// audiences erases the identity from one audience after the other, in the order of their creation. Deleted audiences
// must be swept.
func (w *erasure) audiences(ctx context.Context) error {
	for {
		q := audience.AudienceQuery{Limit: erasedAtOnce, NoTotal: true}
		if w.e.Progress.After != "" {
			q.After = &audience.Position{At: w.e.Progress.AfterAt, ID: string(w.e.Progress.After)}
		}
		list, _, err := w.s.cfg.Store.Audiences(ctx, w.e.Scope, q)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return w.cleanedUpAll(ctx)
		}
		for i := range list {
			if err := w.audience(ctx, &list[i]); err != nil {
				return err
			}
			p := &w.e.Progress
			p.After, p.AfterAt, p.Replaced, p.Failures, p.RetryAt = list[i].ID, list[i].CreatedAt, nil, 0, time.Time{}
		}
		if err := w.save(ctx); err != nil {
			return err
		}
	}
}

func (w *erasure) cleanedUpAll(ctx context.Context) error {
	uncleaned, err := w.s.cfg.Store.AwaitingCleanup(ctx)
	if err != nil {
		return err
	}
	for _, d := range uncleaned {
		if d.Scope == w.e.Scope {
			return errLater
		}
	}
	return nil
}

// audience erases the identity from an audience. The progress records each step, so that the work can continue from
// there.
func (w *erasure) audience(ctx context.Context, aud *audience.Audience) error {
	done := w.begun(aud.ID)
	if done == nil || done.RunID == "" && len(w.e.Progress.Replaced) == 0 {
		if err := w.earlierRun(ctx, aud); err != nil {
			return err
		}
		held, err := w.s.cfg.Pipeline.Holds(ctx, lake.TableOf(aud.Scope, aud.ID), aud, w.keys.Key)
		if errors.Is(err, lake.ErrNotExist) {
			return w.still(ctx, aud)
		}
		if err != nil {
			return err
		}
		if held.Live {
			return w.startRun(ctx, aud)
		}
	}
	if done != nil && done.RunID != "" {
		if err := w.runEnded(ctx, aud, done); err != nil {
			return err
		}
	}
	return w.purge(ctx, aud)
}

// earlierRun returns errLater while a run is in progress that was started before the erasure, because that run may have
// read the identity already and would commit it. A run that starts later is a later import.
func (w *erasure) earlierRun(ctx context.Context, aud *audience.Audience) error {
	list, _, err := w.s.cfg.Store.Runs(ctx, aud.Scope, aud.ID, audience.InProgress)
	if err == nil && slices.ContainsFunc(list, func(r audience.Run) bool { return !r.CreatedAt.After(w.e.CreatedAt) }) {
		err = errLater
	}
	return err
}

// still returns nil if the audience is deleted: its dataset is removed before its row.
func (w *erasure) still(ctx context.Context, aud *audience.Audience) error {
	_, err := w.s.cfg.Store.Audience(ctx, aud.Scope, aud.ID)
	switch {
	case errors.Is(err, meta.ErrNotFound):
		return nil
	case err == nil:
		return fmt.Errorf("audience %s has no dataset: %w", aud.ID, lake.ErrNotExist)
	}
	return err
}

// begun returns the progress of an audience, nil if there is none.
func (w *erasure) begun(id audience.ID) *audience.ErasedAudience {
	list := w.e.Progress.Audiences
	if n := len(list); n > 0 && list[n-1].ID == id {
		return &list[n-1]
	}
	return nil
}

func (w *erasure) note(aud *audience.Audience) *audience.ErasedAudience {
	if w.begun(aud.ID) == nil {
		w.e.Progress.Audiences = append(w.e.Progress.Audiences, audience.ErasedAudience{ID: aud.ID, Labels: aud.Labels})
	}
	return w.begun(aud.ID)
}

// longestEraseWait is the longest wait between two attempts of an erasure.
const longestEraseWait = time.Hour

// startRun starts the run that removes the member, as soon as no other run is in progress. One transaction records the
// run and the progress.
func (w *erasure) startRun(ctx context.Context, aud *audience.Audience) error {
	now := w.s.now()
	if wait := w.e.Progress.RetryAt.Sub(now); wait > 0 && wait <= longestEraseWait { // longer: the clock was ahead
		return errLater
	}
	run := launch.NewRun(aud, audience.SystemUser, audience.RunRequest{Kind: audience.RunErase, Erasure: w.e.ID, Differential: true, WindowEnd: now,
		Reason: "erasure " + string(w.e.ID)}, now)
	w.note(aud).RunID = run.ID
	w.e.UpdatedAt = now
	err := w.s.cfg.Store.Update(ctx, func(tx meta.Tx) error {
		e := w.e
		if err := tx.CreateRun(ctx, &run); err != nil {
			return err
		}
		if err := tx.SaveErasure(ctx, &e); err != nil {
			return err
		}
		return w.s.cfg.Jobs.Enqueue(ctx, tx, job.Job{Kind: job.Run, ID: string(run.ID)})
	})
	if err == nil || errors.Is(err, meta.ErrRunInProgress) {
		return errLater
	}
	return err
}

// runEnded records the result of the run in the progress, once the run has ended.
func (w *erasure) runEnded(ctx context.Context, aud *audience.Audience, done *audience.ErasedAudience) error {
	run, err := w.s.cfg.Store.Run(ctx, aud.Scope, aud.ID, done.RunID)
	switch {
	case errors.Is(err, meta.ErrNotFound):
		return errLater // deleted since the list was read
	case err != nil:
		return err
	case run.Status == audience.Processing:
		return errLater
	case run.Status == audience.Failed:
		return w.runFailed(ctx, &run, done)
	}
	w.e.Error, done.Members = nil, run.Result.Members.Removed
	return nil
}

// runFailed makes another run start: at once after the first failure, then after growing waits of up to an hour.
func (w *erasure) runFailed(ctx context.Context, run *audience.Run, done *audience.ErasedAudience) error {
	p := &w.e.Progress
	p.RetryAt = w.s.now().Add(min(time.Duration(p.Failures)*time.Duration(p.Failures)*time.Minute, longestEraseWait))
	p.Failures++
	w.e.Error = audience.Errorf(audience.Impossible, "run %s of audience %s, which removes the member, failed: %v; another one will be started", run.ID, run.AudienceID, run.Error)
	done.RunID = ""
	if err := w.save(ctx); err != nil {
		return err
	}
	return errLater
}

// purge removes the files of the audience that contain the identity.
func (w *erasure) purge(ctx context.Context, aud *audience.Audience) error {
	rejects, err := w.s.cfg.Pipeline.Purge(ctx, ingest.PurgeSpec{
		Table: lake.TableOf(aud.Scope, aud.ID), Audience: aud, Key: w.keys.Key, Values: [][]byte{w.who.Normal, w.who.Given},
		Host: purgeHost{audienceRuns{w.s, aud}, w}, Replaced: w.e.Progress.Replaced,
	})
	if rejects > 0 {
		w.note(aud).Rejects += rejects
		if err != nil {
			return errors.Join(err, w.save(ctx))
		}
	}
	if errors.Is(err, lake.ErrNotExist) {
		return w.still(ctx, aud)
	}
	return err
}

// purgeHost is the host of the purge of one audience by an erasure.
type purgeHost struct {
	audienceRuns
	w *erasure
}

var _ ingest.PurgeHost = purgeHost{}

// SavePurge implements ingest.PurgeHost.
func (h purgeHost) SavePurge(ctx context.Context, versions int, replaced []string) error {
	done := h.w.note(h.aud)
	done.Versions, done.Files = versions, len(replaced)
	h.w.e.Progress.Replaced = replaced
	return h.w.save(ctx)
}

// openIdentity returns the identity of an erasure, in the normal form of this version of Roster.
func (s *Service) openIdentity(e *audience.Erasure) (who audience.ErasedIdentity, err error) {
	text, err := s.cfg.Secrets.Open(e.Sealed, meta.SealedErasure.Place(string(e.ID)))
	if err != nil {
		return who, err
	}
	if err := json.Unmarshal(text, &who); err != nil {
		return who, errors.New("the identity of the erasure cannot be decrypted")
	}
	who.Normal = identity.Normalise(e.Namespace, who.Given, nil)
	return who, nil
}

// eraseKey returns the key of the member that an erase run removes.
func (s *Service) eraseKey(ctx context.Context, r meta.Erasures, run *audience.Run) (key identity.Key, err error) {
	e, err := r.Erasure(ctx, run.Scope, run.Request.Erasure)
	if err != nil {
		return key, err
	}
	if e.Sealed == "" { // the erasure has ended
		return identity.ParseXID(e.XID)
	}
	who, err := s.openIdentity(&e)
	return identity.KeyOf(e.Namespace, who.Normal), err
}

// suppressed returns the identities whose rows a run rejects.
func (s *Service) suppressed(ctx context.Context, r meta.Erasures, run *audience.Run) (map[identity.Key]bool, error) {
	if !s.cfg.SuppressErased || !run.Request.Traits().ReadsFiles() {
		return nil, nil
	}
	return erasedKeys(ctx, r, run.Scope)
}

// erasedKeys returns the identities that were, or are being, erased from a sandbox.
func erasedKeys(ctx context.Context, r meta.Erasures, scope audience.Scope) (map[identity.Key]bool, error) {
	list, err := r.ErasedIdentities(ctx, scope)
	if err != nil {
		return nil, err
	}
	keys := make(map[identity.Key]bool, len(list))
	for _, text := range list {
		key, err := identity.ParseXID(text)
		if err != nil {
			return nil, fmt.Errorf("an erased identity cannot be read: %w", err)
		}
		keys[key] = true
	}
	return keys, nil
}
