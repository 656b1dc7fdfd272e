package work

import (
	"context"
	"errors"
	"fmt"

	"roster/internal/audience"
	"roster/internal/ingest"
	"roster/internal/lake"
	"roster/internal/profile"
)

// Finding is an inconsistency.
type Finding struct {
	Part     string      `json:"part"` // metadata, catalog, lake or profile
	Org      string      `json:"organization,omitempty"`
	Sandbox  string      `json:"sandbox,omitempty"`
	Audience audience.ID `json:"audienceId,omitempty"`
	What     string      `json:"what"`
}

// Checked is the result of Check.
type Checked struct {
	Audiences int       `json:"audiences"`
	Files     int64     `json:"files"`     // of datasets
	Bytes     int64     `json:"bytes"`     // of these files
	Unchecked int64     `json:"unchecked"` // files without checksums, which were only read
	Findings  []Finding `json:"findings"`
}

func (c *Checked) add(part string, aud *audience.Audience, format string, args ...any) {
	c.Findings = append(c.Findings, Finding{part, aud.Scope.Org, aud.Scope.Sandbox, aud.ID, fmt.Sprintf(format, args...)})
}

// Check compares the metadata, the catalog, each file of each dataset, and the profile store. It changes nothing.
// withoutProfiles omits the profile store.
func (s *Service) Check(ctx context.Context, withoutProfiles bool) (Checked, error) {
	c := Checked{Findings: []Finding{}}
	var pointers map[profile.Ref]profile.Pointer
	var err error
	if !withoutProfiles {
		if pointers, err = s.cfg.Profile.Pointers(ctx); err != nil {
			return c, err
		}
	}
	err = s.eachAudience(ctx, func(sandbox audience.Sandbox, page []audience.Audience) error {
		for i := range page {
			if err := s.checkAudience(ctx, &c, &page[i]); err != nil {
				return err
			}
			ref := profile.Ref{Sandbox: sandbox.Num, Audience: page[i].Num}
			if err := s.checkPointer(ctx, &c, &page[i], pointers[ref], withoutProfiles); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	if err != nil || withoutProfiles {
		return c, err
	}
	wrong, err := s.verifyProjections(ctx)
	for _, w := range wrong {
		c.Findings = append(c.Findings, Finding{"profile", w.Scope.Org, w.Scope.Sandbox, w.ID, w.Why})
	}
	return c, err
}

// checkPointer compares an audience's pointer as at a start.
func (s *Service) checkPointer(ctx context.Context, c *Checked, aud *audience.Audience, have profile.Pointer, leaveOut bool) error {
	if leaveOut || !aud.ProfileIngestion {
		return nil
	}
	newest, err := s.newestRun(ctx, aud)
	if err != nil {
		return err
	}
	if newest != nil && newest.Status == audience.Processing {
		return nil // the pointer is moving
	}
	if why := s.differs(ctx, aud, newest, have); why != "" {
		c.add("profile", aud, "%s", why)
	}
	return nil
}

func (s *Service) newestRun(ctx context.Context, aud *audience.Audience) (*audience.Run, error) {
	runs, err := s.cfg.Store.NewestRuns(ctx, aud.Scope, []audience.ID{aud.ID})
	if err != nil || len(runs) == 0 {
		return nil, err
	}
	return &runs[0], nil
}

// checkAudience checks the dataset of an audience.
func (s *Service) checkAudience(ctx context.Context, c *Checked, aud *audience.Audience) error {
	c.Audiences++
	newest, err := s.newestRun(ctx, aud)
	if err != nil {
		return err
	}
	d, err := s.cfg.Lake.Load(ctx, lake.TableOf(aud.Scope, aud.ID))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, lake.ErrNotExist):
		if dropped := s.dropped(ctx, aud, err); dropped != nil {
			c.add("catalog", aud, "%s", dropped.Message)
		}
		return nil
	case err != nil:
		c.add("lake", aud, "%v", err)
		return nil
	}
	foreign := d.Foreign()
	for _, f := range foreign {
		c.add("lake", aud, "another program changed the dataset after the last run: snapshot %d, operation %q, program %q; look-ups do not show the change until a run has adopted it", f.ID, f.Operation, f.Engine)
	}
	if len(foreign) > 0 {
		r, err := s.cfg.Pipeline.CompareOutside(ctx, d, aud)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			c.add("lake", aud, "the changes of the other program cannot be adopted: %v", err)
		} else {
			c.add("lake", aud, "the next run would adopt the changes as: %d members before, %d added, %d changed, %d removed, %d expired, %d after; %d rows rejected",
				r.Members.Before, r.Rows.Added, r.Rows.Updated, r.Rows.Deleted+r.Members.Removed, r.Members.Expired, r.Members.After, r.Rows.Rejected)
		}
	}
	if settled := newest != nil && newest.Committed() && len(foreign) == 0; settled {
		if snap, ok := d.Current(); !ok || snap.Version != newest.ID {
			c.add("metadata", aud, "the last run is %s, but the dataset has the members of run %q", newest.ID, snap.Version)
		} else if aud.Members != d.Rows() {
			c.add("metadata", aud, "the audience has %d members, the dataset %d", aud.Members, d.Rows())
		}
	}
	found, err := ingest.CheckDataset(ctx, d)
	c.Files, c.Bytes, c.Unchecked = c.Files+found.Files, c.Bytes+found.Bytes, c.Unchecked+found.Unchecked
	for _, damage := range found.Damaged {
		c.add("lake", aud, "%v", damage)
	}
	if refused, ok := errors.AsType[*audience.Error](err); ok { // the dataset is in a form that Roster does not read
		c.add("lake", aud, "%s", refused.Message)
		return nil
	}
	return err
}

// RebuildProfiles projects the datasets of all audiences, or of one, again and returns their number.
func (s *Service) RebuildProfiles(ctx context.Context, only audience.ID) (int, error) {
	var all []ingest.Projection
	err := s.eachAudience(ctx, func(sandbox audience.Sandbox, page []audience.Audience) error {
		for i := range page {
			if aud := &page[i]; aud.ProfileIngestion && (only == "" || aud.ID == only) {
				all = append(all, s.projection(aud, profile.Ref{Sandbox: sandbox.Num, Audience: aud.Num}))
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if only != "" && len(all) == 0 {
		return 0, audience.Errorf(audience.NotFound, "audience with profiles %.64q does not exist", string(only))
	}
	for _, p := range all {
		s.cfg.Profile.Distrust(p.Ref)
	}
	for i, p := range all {
		if _, err := s.cfg.Pipeline.Rebuild(ctx, p); err != nil {
			return i, fmt.Errorf("project audience %s: %w", p.Audience.ID, err)
		}
	}
	return len(all), nil
}
