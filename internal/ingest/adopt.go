package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/lake"
)

// adoptOutside adopts the changes of other programs after Roster's last commit, before the run of s continues, and
// returns the reloaded dataset. If a member changed, the adoption is a separate run. It gets the sequence number of the
// run of s, which gets the next number. If no member changed, a snapshot of maintenance records that the members are
// still those of the last run. With Pipeline.RefuseForeign the run fails.
func (p *Pipeline) adoptOutside(ctx context.Context, dataset *lake.Dataset, s *Spec) (*lake.Dataset, error) {
	foreign := dataset.Foreign()
	if len(foreign) == 0 {
		return dataset, nil
	}
	if p.RefuseForeign {
		return dataset, refusal(foreign)
	}
	if s.Run.Request.Traits().Input == audience.FromOutside {
		return dataset, nil
	}
	if s.Run.Request.DryRun {
		return dataset, p.refuseDryRun(ctx, dataset, s)
	}
	x := *s
	x.Run = adoptionRun(s, audience.RunID(uuid.NewString()), s.Run.CreatedAt)
	x.Host, x.aside, x.renewed = asideHost{s.Host, s.Run}, true, s.Run.Request.Replaces()
	done, err := p.ingest(ctx, dataset, &x, nil)
	if err != nil {
		return dataset, err
	}
	if done.result.SnapshotID != 0 {
		if err := p.adopted(ctx, s, &x, done); err != nil {
			return dataset, err
		}
	}
	return p.Lake.Load(ctx, s.Table)
}

// refuseDryRun returns an error if other programs changed members: a dry run changes nothing, so it cannot adopt the
// changes, and its counts would be wrong without them.
func (p *Pipeline) refuseDryRun(ctx context.Context, dataset *lake.Dataset, s *Spec) error {
	c, err := p.CompareOutside(ctx, dataset, &s.Audience)
	if err != nil {
		return err
	}
	rows, members := c.Rows, c.Members
	if changedNothing(rows, members) {
		return nil
	}
	return audience.Errorf(audience.Impossible, "another program changed the audience's dataset (added %d, updated %d, removed %d members), and a dry run cannot adopt the change, because it changes nothing. "+
		"To go on, start a run, which adopts the change first, or wait for the daily maintenance", rows.Added, rows.Updated, rows.Deleted+members.Removed)
}

// refusal returns the error for a dataset that another program changed.
func refusal(foreign []lake.Foreign) error {
	last := foreign[len(foreign)-1]
	engine := "a program that does not name itself"
	if last.Engine != "" {
		engine = last.Engine
	}
	return audience.Errorf(audience.Impossible, "another program changed the audience's dataset, and the server refuses such changes (--foreign-writes refuse): "+
		"snapshot %d, operation %q, by %s at %s, and %d snapshots before it. To go on: bring the table back to the snapshot of the last run with that program, or start the server with --foreign-writes adopt",
		last.ID, last.Operation, engine, last.Time.UTC().Format(time.RFC3339), len(foreign)-1)
}

// adoptionRun returns the run that adopts the changes of other programs before the run of s.
func adoptionRun(s *Spec, id audience.RunID, at time.Time) audience.Run {
	r := audience.Run{ID: id, Scope: s.Run.Scope, AudienceID: s.Run.AudienceID, AudienceName: s.Run.AudienceName, Seq: s.Run.Seq, Status: audience.Processing,
		Request:   audience.RunRequest{Kind: audience.RunAdopt, Differential: true, WindowEnd: at, Reason: "another program changed the dataset"},
		CreatedBy: audience.SystemUser, CreatedAt: at, UpdatedAt: at, FlowID: s.Run.FlowID}
	for _, st := range s.Run.Stages {
		r.Stages = append(r.Stages, audience.StageResult{Stage: st.Stage, Status: audience.Processing, FlowRunID: uuid.NewString()})
	}
	return r
}

// adopted completes a committed adoption: it applies the delta to the profile store and records the run in the metadata
// store.
func (p *Pipeline) adopted(ctx context.Context, s, x *Spec, done *committedRun) error {
	if s.Audience.ProfileIngestion {
		if err := p.project(ctx, x, done); err != nil {
			return notMine(errors.Join(ErrNotSaved, err)) // a later attempt continues
		}
	}
	x.Run.Status, x.Run.EndedAt = audience.Success, p.Clock()
	seq, err := s.Host.Adopted(ctx, x.Run)
	if err != nil {
		return notMine(err)
	}
	s.Run.Seq = seq
	s.Audience.Members = x.Run.Result.Members.After
	s.Audience.RefreshedAt, s.Audience.LastRun, s.Audience.LastIngestedAt = x.Run.Result.RefreshedAt, x.Run.ID, x.Run.CreatedAt
	rows, members := x.Run.Result.Rows, x.Run.Result.Members
	p.logOf(s.Run.Scope).Warn("another program changed the dataset of an audience; its changes are adopted", "audience", s.Audience.ID, "run", x.Run.ID,
		"added", rows.Added, "updated", rows.Updated, "deleted", rows.Deleted, "removed", members.Removed, "rejected", rows.Rejected)
	return nil
}

// recordAdoption completes an adoption that an earlier attempt committed. The attempt belongs to this run or to a
// failed run.
func (p *Pipeline) recordAdoption(ctx context.Context, dataset *lake.Dataset, s *Spec) error {
	last, ok := dataset.Current()
	if ok && last.Version == "" {
		last, ok = dataset.LastOwn()
	}
	if !ok {
		return nil
	}
	snap, ok := dataset.FindRun(last.Version)
	if !ok || snap.Props[propMode] != modeAdopt || snap.Run == s.Audience.LastRun {
		return nil
	}
	at, err := strconv.ParseInt(snap.Props[propTime], 10, 64)
	if err != nil {
		return fmt.Errorf("read the result of an adoption: %s: %w", propTime, err)
	}
	done, err := loadCommitted(dataset, snap)
	if err != nil {
		return err
	}
	x := *s
	x.Run = adoptionRun(s, snap.Run, time.Unix(at, 0).UTC())
	if x.Run.Seq, err = strconv.ParseInt(snap.Props[propSeq], 10, 64); err != nil {
		return fmt.Errorf("read the result of an adoption: %s: %w", propSeq, err)
	}
	x.Host = asideHost{s.Host, s.Run}
	done.apply(&x.Run)
	return p.adopted(ctx, s, &x, done)
}

// asideHost is the host of an adoption that is part of another run. That run has the lease.
type asideHost struct {
	Host
	run audience.Run
}

// Save implements Host. It saves the other run, which checks the lease.
func (h asideHost) Save(ctx context.Context, _ audience.Run) error {
	run := h.run
	run.Planned = nil
	return h.Host.Save(ctx, run)
}

// SaveProgress implements Host.
func (h asideHost) SaveProgress(ctx context.Context, _ audience.RunID, p audience.Progress) error {
	return h.Host.SaveProgress(ctx, h.run.ID, p)
}

// base returns the base of the run's delta.
func (a *attempt) base() (*deltaBase, error) {
	if a.adoption == nil {
		return baseOf(a.dataset)
	}
	pointer, known, err := PointerOf(a.adoption.last)
	if err != nil || !known {
		return nil, err
	}
	return &deltaBase{Seq: pointer.Seq, Run: pointer.Run}, nil
}

// commitSilently commits an adoption that changes no member. The members are still those of the last run.
func (a *attempt) commitSilently(ctx context.Context, m *merged) error {
	props := compactionProps(a.adoption.last)
	text, err := json.Marshal(outsideOf(a.dataset))
	if err != nil {
		return fmt.Errorf("write the snapshot's summary: %w", err)
	}
	props[propOutside] = string(text)
	_, err = a.dataset.Commit(ctx, lake.Commit{Live: m.live, Version: a.adoption.last.Version, Add: m.files, Deletes: m.retired, Doomed: m.doomed, Dir: a.dir, Props: props})
	if err != nil {
		return fmt.Errorf("commit the dataset: %w", err)
	}
	a.p.logOf(a.spec.Run.Scope).Info("another program rewrote the dataset of an audience without a change of its members", "audience", a.spec.Audience.ID)
	return nil
}
