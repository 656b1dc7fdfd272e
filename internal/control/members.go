package control

import (
	"context"
	"errors"
	"fmt"

	"roster/internal/audience"
	"roster/internal/lake"
	"roster/internal/members"
	"roster/internal/meta"
)

// MaxMembers is the largest number of members on one page of a member list.
const MaxMembers = 1_000_000

// MemberQuery selects members of an audience.
type MemberQuery struct {
	Fields []string          // names, ignoring case, in the order of the answer; all fields if empty
	AsOf   audience.RunID    // the members as of that run; "" for the current ones; From takes precedence
	Limit  int               // largest number of members of the page, 1 to MaxMembers; 0 for all
	From   *members.Position // Next of the page before; nil for the first
	// Filters must all match. A page of filtered members ends at a limit of rows and time for one request: it may have
	// few members or none, although Next is set.
	Filters []members.Filter
}

// Members opens a list of an audience's members, now or as of a run.
func (s *Service) Members(ctx context.Context, a audience.Actor, id audience.ID, q MemberQuery) (*members.List, error) {
	if err := allow(a, toRead); err != nil {
		return nil, err
	}
	if q.Limit < 0 || q.Limit > MaxMembers {
		return nil, audience.InvalidField("limit", "must be from 1 to %d", MaxMembers)
	}
	aud, err := s.audience(ctx, s.cfg.Store, a, id)
	if err != nil {
		return nil, err
	}
	aud = aud.SeenBy(a.Grants)
	fields, err := fieldsNamed(&aud, q.Fields)
	if err != nil {
		return nil, err
	}
	d, err := s.dataset(ctx, &aud)
	if err != nil {
		return nil, err
	}
	where, err := members.NewTests(&aud, q.Filters)
	if err != nil {
		return nil, err
	}
	d, from, err := s.version(ctx, &aud, d, q)
	if err != nil {
		return nil, err
	}
	return members.Open(ctx, s.membersOf(d), &aud, fields, where, from, q.Limit)
}

// membersOf returns the source of the members of a dataset.
func (s *Service) membersOf(d *lake.Dataset) members.Source {
	return members.Source{Dataset: d, Runs: s.cfg.Store, Reading: s.reading}
}

// dataset opens the audience's dataset.
func (s *Service) dataset(ctx context.Context, aud *audience.Audience) (*lake.Dataset, error) {
	d, err := s.cfg.Lake.Load(ctx, lake.TableOf(aud.Scope, aud.ID))
	if errors.Is(err, lake.ErrNotExist) {
		return nil, s.withoutDataset(ctx, aud, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open the dataset of audience %s: %w", aud.ID, err)
	}
	return d, nil
}

// withoutDataset returns the error for an audience whose dataset does not exist, given the error of the lake. Either the
// audience was deleted at this moment, or another program dropped the dataset.
func (s *Service) withoutDataset(ctx context.Context, aud *audience.Audience, err error) error {
	dropped, ok := errors.AsType[*audience.Error](err)
	if _, gone := s.cfg.Store.Audience(ctx, aud.Scope, aud.ID); !ok || errors.Is(gone, meta.ErrNotFound) {
		return notFound("audience", aud.ID)
	} else if gone != nil {
		return gone
	}
	return dropped
}

// fieldsNamed returns the audience's fields with these names.
func fieldsNamed(aud *audience.Audience, names []string) ([]audience.Field, error) {
	if len(names) == 0 {
		return aud.Fields, nil
	}
	var wrong audience.Problems
	var fields []audience.Field
	seen, index := map[int]bool{}, aud.FieldIndex()
	for _, name := range names {
		switch n, known := index[audience.NameKey(name)]; {
		case !known:
			wrong.Add("fields", "the audience has no field %.64q", name)
		case seen[n]:
			wrong.Add("fields", "%.64q is named twice", name)
		default:
			seen[n] = true
			fields = append(fields, aud.Fields[n])
		}
	}
	return fields, wrong.Err()
}

// version returns the version of the dataset that the query selects, and the position and the time of the page. A run's
// members are those at the time of the run, even if they have expired since.
func (s *Service) version(ctx context.Context, aud *audience.Audience, d *lake.Dataset, q MemberQuery) (_ *lake.Dataset, from members.Position, err error) {
	if q.From != nil {
		d, err = at(ctx, d, q.From.Snapshot, "the version of the audience that this cursor belongs to is no longer kept; start again without cursor")
		return d, *q.From, err
	}
	if q.AsOf == "" {
		return d, members.Position{At: s.now().UnixMicro()}, nil
	}
	key, ok := audience.Canonical(q.AsOf)
	if !ok {
		return nil, from, notFound("run", q.AsOf)
	}
	run, err := s.cfg.Store.Run(ctx, aud.Scope, aud.ID, key)
	if err != nil {
		return nil, from, absent(err, "run", q.AsOf)
	}
	const gone = "there are no members as of run %s: the run did not end SUCCESS, was a dry run, or its version is no longer kept"
	if d, err = d.WithHistory(ctx); err != nil {
		return nil, from, err
	}
	snap, ok := d.FindVersion(run.ID)
	if !ok {
		if err := s.droppedVersion(ctx, aud.ID, run.ID); err != nil {
			return nil, from, err
		}
		return nil, from, audience.Errorf(audience.Impossible, gone, run.ID)
	}
	d, err = at(ctx, d, snap.ID, fmt.Sprintf(gone, run.ID))
	return d, members.Position{At: run.CreatedAt.UnixMicro()}, err
}

// at returns the dataset as of a snapshot, or an error with the text refusal if the snapshot is no longer kept.
func at(ctx context.Context, d *lake.Dataset, snapshot int64, refusal string) (*lake.Dataset, error) {
	d, err := d.WithHistory(ctx)
	if err != nil {
		return nil, err
	}
	then, err := d.At(snapshot)
	if errors.Is(err, lake.ErrNotExist) {
		return nil, audience.Errorf(audience.Impossible, "%s", refusal)
	}
	return then, err
}
