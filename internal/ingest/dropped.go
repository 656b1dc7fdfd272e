package ingest

import (
	"context"
	"errors"
	"fmt"

	"roster/internal/audience"
	"roster/internal/lake"
)

// operationDrop is the operation of audience.OutsideSnapshot for a table that another program dropped.
const operationDrop = "drop"

// open loads the dataset of a run. If another program dropped the table, a full run makes the table anew; the result
// salvaged then contains no member, and the members of the last run count as lost. Any other run fails.
func (p *Pipeline) open(ctx context.Context, s *Spec) (dataset *lake.Dataset, salvaged *lake.Salvaged, err error) {
	dataset, err = p.Lake.Load(ctx, s.Table)
	if !errors.Is(err, lake.ErrNotExist) {
		return dataset, nil, err
	}
	dropped := err
	if err := s.save(ctx); err != nil { // if the audience was deleted, the run has no lease
		return nil, nil, err
	}
	refused, known := errors.AsType[*audience.Error](dropped)
	switch {
	case !known:
		return nil, nil, dropped
	case s.Audience.LastRun == "": // nothing is lost
		if err := p.Lake.Create(ctx, s.Table, s.Audience.Name, s.Audience.Fields); err != nil {
			return nil, nil, err
		}
		dataset, err = p.Lake.Load(ctx, s.Table)
		return dataset, nil, err
	case !s.Run.Request.Replaces():
		return nil, nil, dropped
	case p.RefuseForeign:
		return nil, nil, fmt.Errorf("%w: %w", lake.ErrNotExist, audience.Errorf(refused.Code,
			"%s. The server refuses changes of other programs (--foreign-writes refuse), so start it with --foreign-writes adopt before the full run", refused.Message))
	}
	if dataset, err = p.Lake.Recreate(ctx, s.Table, s.Audience.Name, s.Audience.Fields); err != nil {
		return nil, nil, err
	}
	if salvaged, err = dataset.Salvage(ctx, lake.StateOptions{}); err != nil {
		return nil, nil, fmt.Errorf("open the dataset made anew: %w", err)
	}
	salvaged.Lost = s.Audience.Members
	p.logOf(s.Run.Scope).Warn("another program dropped the table of an audience; the full run makes the table anew", "run", s.Run.ID, "audience", s.Audience.ID,
		"members of the last run", salvaged.Lost)
	return dataset, salvaged, nil
}
