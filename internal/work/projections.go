package work

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"roster/internal/audience"
	"roster/internal/identity"
	"roster/internal/ingest"
	"roster/internal/job"
	"roster/internal/lake"
	"roster/internal/meta"
	"roster/internal/profile"
)

// The profile store is compared with the committed state. Before any look-up, when a process starts or has replaced a
// damaged store, the pointers of all audiences are compared with their last runs. After the start of a server and once a
// day the memberships are compared with the datasets. An audience that differs is distrusted: look-ups in its sandbox are
// refused until it is projected again.

// CompareProjections compares the pointers of the profile store with the committed runs, and distrusts the audiences
// that differ. Recover enqueues their projection.
func (s *Service) CompareProjections(ctx context.Context) error {
	pointers, err := s.cfg.Profile.Pointers(ctx)
	if err != nil {
		return fmt.Errorf("read the pointers of the profile store: %w", err)
	}
	tables, err := s.cfg.Lake.Names(ctx)
	if err != nil {
		return err
	}
	missing := 0
	err = s.eachAudience(ctx, func(sandbox audience.Sandbox, page []audience.Audience) error {
		for i := range page {
			if aud := &page[i]; !tables[lake.TableOf(aud.Scope, aud.ID)] {
				if missing++; missing <= missingLogged {
					s.logDropped(ctx, aud)
				}
			}
		}
		return s.comparePage(ctx, sandbox, page, pointers)
	})
	if err != nil {
		return err
	}
	if missing > missingLogged {
		s.cfg.Log.Error("more audiences have no dataset in the catalog than those above; roster check lists all; if the catalog is an older copy, stop the server and restore it from a backup", "audiences", missing)
	}
	uncleaned, err := s.cfg.Store.AwaitingCleanup(ctx)
	if err != nil {
		return fmt.Errorf("look for deleted audiences: %w", err)
	}
	for _, d := range uncleaned {
		delete(pointers, profile.Ref{Sandbox: d.SandboxNum, Audience: d.Num})
	}
	for ref := range pointers { // drop audiences that do not exist
		s.distrust(ref, audience.Scope{}, "", "there is no such audience")
	}
	s.work.wantVerified(!s.cfg.OneCommand)
	return nil
}

// missingLogged is how many audiences without a dataset a start logs one by one.
const missingLogged = 10

// logDropped logs that another program dropped the table of an audience, if the audience still exists and has no table.
func (s *Service) logDropped(ctx context.Context, aud *audience.Audience) {
	_, err := s.cfg.Lake.Load(ctx, lake.TableOf(aud.Scope, aud.ID))
	if dropped := s.dropped(ctx, aud, err); dropped != nil {
		s.logOf(aud.Scope).Error("the dataset of an audience is gone", "audience", aud.ID, "error", dropped)
	}
}

// dropped returns the error of a dataset that another program dropped, given the error of Load. The result is nil for other
// errors, and if the audience was deleted.
func (s *Service) dropped(ctx context.Context, aud *audience.Audience, err error) *audience.Error {
	why, ok := errors.AsType[*audience.Error](err)
	if !ok || !errors.Is(err, lake.ErrNotExist) {
		return nil
	}
	if _, err := s.cfg.Store.Audience(ctx, aud.Scope, aud.ID); err != nil {
		return nil
	}
	return why
}

// eachAudience calls fn with all audiences, page by page.
func (s *Service) eachAudience(ctx context.Context, fn func(sandbox audience.Sandbox, page []audience.Audience) error) error {
	const page = 500
	orgs, err := s.cfg.Store.Organizations(ctx)
	if err != nil {
		return fmt.Errorf("list the organizations: %w", err)
	}
	for _, org := range orgs {
		sandboxes, err := s.cfg.Store.Sandboxes(ctx, org)
		if err != nil {
			return fmt.Errorf("list the sandboxes: %w", err)
		}
		for _, sandbox := range sandboxes {
			q := audience.AudienceQuery{Limit: page, SortBy: audience.SortCreated, NoTotal: true}
			for {
				list, _, err := s.cfg.Store.Audiences(ctx, audience.Scope{Org: org, Sandbox: sandbox.Name}, q)
				if err != nil {
					return fmt.Errorf("list the audiences: %w", err)
				}
				if err := fn(sandbox, list); err != nil {
					return err
				}
				if len(list) < page {
					break
				}
				last := list[len(list)-1]
				q.After = &audience.Position{At: last.CreatedAt, ID: string(last.ID)}
			}
		}
	}
	return nil
}

// comparePage compares the pointers of a page of a sandbox's audiences, and removes these from the list.
func (s *Service) comparePage(ctx context.Context, sandbox audience.Sandbox, page []audience.Audience, pointers map[profile.Ref]profile.Pointer) error {
	ids := make([]audience.ID, len(page))
	for i := range page {
		ids[i] = page[i].ID
	}
	runs, err := s.cfg.Store.NewestRuns(ctx, page0(page), ids)
	if err != nil {
		return fmt.Errorf("read the newest runs: %w", err)
	}
	newest := make(map[audience.ID]*audience.Run, len(runs))
	for i := range runs {
		newest[runs[i].AudienceID] = &runs[i]
	}
	for i := range page {
		aud := &page[i]
		ref := profile.Ref{Sandbox: sandbox.Num, Audience: aud.Num}
		have := pointers[ref]
		delete(pointers, ref)
		if !aud.ProfileIngestion {
			continue
		}
		if why := s.differs(ctx, aud, newest[aud.ID], have); why != "" {
			s.distrust(ref, aud.Scope, aud.ID, why)
		}
	}
	return nil
}

// page0 returns the scope of a page of audiences.
func page0(page []audience.Audience) (scope audience.Scope) {
	if len(page) > 0 {
		scope = page[0].Scope
	}
	return scope
}

// distrust marks the memberships of an audience as wrong. An audience that does not exist has no scope.
func (s *Service) distrust(ref profile.Ref, scope audience.Scope, id audience.ID, why string) {
	s.logOf(scope).Warn("the memberships of an audience are not trusted; they are projected again, and look-ups in the sandbox are refused meanwhile",
		"audience", id, "sandbox-number", ref.Sandbox, "audience-number", ref.Audience, "why", why)
	s.cfg.Profile.Distrust(ref)
}

// differs returns the reason why an audience's pointer is wrong, "" if it is right. newest is nil if the audience had
// no run.
func (s *Service) differs(ctx context.Context, aud *audience.Audience, newest *audience.Run, have profile.Pointer) string {
	if newest != nil && newest.Committed() && have.Same(profile.Pointer{Seq: newest.Seq, Run: newest.ID}) ||
		newest == nil && have == (profile.Pointer{}) {
		return ""
	}
	d, err := s.cfg.Lake.Load(ctx, lake.TableOf(aud.Scope, aud.ID))
	if errors.Is(err, lake.ErrNotExist) && have == (profile.Pointer{}) {
		return ""
	}
	if err == nil {
		return ingest.Behind(d, newest, have)
	}
	// The dataset cannot be read, or another program dropped it. The last successful run shows the expected state, too.
	last, _, rerr := s.cfg.Store.Runs(ctx, aud.Scope, aud.ID, audience.RunQuery{Limit: 40, Descending: true,
		Filters: []audience.RunFilter{{Property: "status", Op: "=", Value: string(audience.Success)}}})
	if i := slices.IndexFunc(last, func(r audience.Run) bool { return r.Committed() }); rerr == nil && i >= 0 && have.Same(profile.Pointer{Seq: last[i].Seq, Run: last[i].ID}) {
		return ""
	}
	return fmt.Sprintf("it is at run %d, and the dataset cannot be read: %v", have.Seq, errors.Join(err, rerr))
}

// projecting returns the jobs of the audiences to project again.
func (s *Service) projecting() (jobs []job.Job) {
	for _, ref := range s.cfg.Profile.Distrusted() {
		jobs = append(jobs, job.Job{Kind: job.Project, ID: fmt.Sprintf("%d-%d", ref.Sandbox, ref.Audience)})
	}
	return jobs
}

// doProject projects an audience again. It drops an audience that does not exist.
func (s *Service) doProject(ctx context.Context, id string) error {
	sandbox, num, _ := strings.Cut(id, "-")
	a, err := strconv.ParseUint(sandbox, 10, 32)
	b, err2 := strconv.ParseUint(num, 10, 32)
	if err := errors.Join(err, err2); err != nil {
		return fmt.Errorf("project audience %q: %w", id, err)
	}
	ref := profile.Ref{Sandbox: uint32(a), Audience: uint32(b)}
	aud, err := s.cfg.Store.AudienceByNum(ctx, ref.Audience)
	if err == nil {
		worksIn(ctx, aud.Scope)
		var own audience.Sandbox
		if own, err = s.cfg.Store.Sandbox(ctx, aud.Scope); err == nil && own.Num != ref.Sandbox {
			err = meta.ErrNotFound
		}
	}
	if errors.Is(err, meta.ErrNotFound) {
		return s.cfg.Profile.RemoveAudience(ctx, ref)
	}
	if err != nil {
		return err
	}
	if _, err := s.cfg.Pipeline.Rebuild(ctx, s.projection(&aud, ref)); err != nil {
		return fmt.Errorf("project audience %s: %w", aud.ID, err)
	}
	return nil
}

func (s *Service) projection(aud *audience.Audience, ref profile.Ref) ingest.Projection {
	return ingest.Projection{Audience: aud, Table: lake.TableOf(aud.Scope, aud.ID), Ref: ref,
		Erasures: runHost{s: s, aud: aud}}
}

// erased returns the identities that were erased from a sandbox, and which of these erasures have not ended.
func (s *Service) erased(ctx context.Context, scope audience.Scope) (e ingest.Erased, err error) {
	if e.All, err = erasedKeys(ctx, s.cfg.Store, scope); err != nil {
		return e, err
	}
	unfinished, err := s.cfg.Store.LeavingIdentities(ctx, scope)
	if err != nil {
		return e, fmt.Errorf("look for unfinished erasures: %w", err)
	}
	e.InProgress = map[identity.Key]bool{}
	for _, xid := range unfinished {
		key, err := identity.ParseXID(xid)
		if err != nil {
			return e, fmt.Errorf("an erased identity cannot be decrypted: %w", err)
		}
		e.InProgress[key] = true
	}
	return e, nil
}

// doVerify compares the memberships of all audiences with the datasets, and distrusts those that differ.
func (s *Service) doVerify(ctx context.Context, _ string) error {
	wrong, err := s.verifyProjections(ctx)
	if err != nil {
		return err
	}
	for _, w := range wrong {
		s.distrust(w.Ref, w.Scope, w.ID, w.Why)
	}
	s.work.wantVerified(false)
	return nil
}

// Disagreement is an audience whose memberships in the profile store differ from its dataset.
type Disagreement struct {
	Ref   profile.Ref
	Scope audience.Scope
	ID    audience.ID
	Why   string
}

// verifyProjections compares checksums of the memberships in the profile store and in the datasets. It skips the
// sandboxes of unfinished erasures, where the profile store is ahead of the datasets.
func (s *Service) verifyProjections(ctx context.Context) (wrong []Disagreement, err error) {
	digests, err := s.cfg.Profile.Digests(ctx)
	if err != nil {
		return nil, err
	}
	err = s.eachAudience(ctx, func(sandbox audience.Sandbox, page []audience.Audience) error {
		for i := range page {
			aud := &page[i]
			ref := profile.Ref{Sandbox: sandbox.Num, Audience: aud.Num}
			stored := digests[ref]
			if !aud.ProfileIngestion || stored.Pointer == (profile.Pointer{}) {
				continue // the comparison of pointers handles these
			}
			why, err := s.disagrees(ctx, aud, stored)
			if err != nil {
				s.logOf(aud.Scope).Warn("the dataset of an audience cannot be compared with the profile store", "audience", aud.ID, "error", err)
			}
			if why != "" {
				wrong = append(wrong, Disagreement{ref, aud.Scope, aud.ID, why})
			}
		}
		return ctx.Err()
	})
	return wrong, err
}

func (s *Service) disagrees(ctx context.Context, aud *audience.Audience, stored profile.Digest) (string, error) {
	e, err := s.erased(ctx, aud.Scope)
	if err != nil || len(e.InProgress) > 0 {
		return "", err
	}
	want, ok, err := s.cfg.Pipeline.Digest(ctx, lake.TableOf(aud.Scope, aud.ID), aud, stored.Pointer)
	if errors.Is(err, lake.ErrNotExist) || err == nil && !ok {
		return "", nil // deleted, dropped by another program, or maintained meanwhile
	}
	if err != nil || stored == want {
		return "", err
	}
	if e, err = s.erased(ctx, aud.Scope); err != nil || len(e.InProgress) > 0 {
		return "", err // an erasure began meanwhile
	}
	return fmt.Sprintf("the profile store has %d identities of members, the dataset %d, or others", stored.Count, want.Count), nil
}
