package control

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"

	"github.com/google/uuid"

	"roster/internal/audience"
	"roster/internal/connect"
	"roster/internal/landing"
	"roster/internal/reject"
)

// rejectsAnswer is the memory for reading rejects: a batch of them, with its pages.
const rejectsAnswer = 6 << 20

// Rejects calls fn for each rejected row of a run from the n-th on, counted from 0, in the stored order, and returns
// the total number. An error of fn ends the reading and is returned.
func (s *Service) Rejects(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID, from int64, fn func(audience.RejectedRow) error) (total int64, err error) {
	aud, r, err := s.runOf(ctx, a, id, run)
	if err != nil {
		return 0, err
	}
	if r.Status == audience.Processing {
		return 0, audience.Errorf(audience.Impossible, "run %s is in progress; its rejects are available when it has ended", r.ID)
	}
	if r.Result.RejectsPath == "" {
		return 0, nil
	}
	gone := audience.Errorf(audience.NotFound, "the rejects of run %s no longer exist: rejects are kept for 30 days", r.ID)
	if s.now().Sub(r.CreatedAt) > reject.Keep {
		return 0, gone
	}
	dataset, err := s.dataset(ctx, &audience.Audience{ID: r.AudienceID, Scope: r.Scope})
	if err != nil {
		return 0, err
	}
	_, done, err := s.cfg.Memory.Answer(ctx, rejectsAnswer, rejectsAnswer)
	if err != nil {
		return 0, busy(err)
	}
	defer done()
	hidden := aud.Hidden(a.Grants)
	total, err = reject.Read(ctx, dataset, r.Result.RejectsPath, from, func(row audience.RejectedRow) error { return fn(hidden.Rejected(row)) })
	if errors.Is(err, fs.ErrNotExist) {
		return 0, gone
	}
	return total, err
}

// Resubmit receives a corrected file with rejected rows of a run and starts a run that reads only this file. The run is
// differential: members leave only by a delete flag. escaped means that the file's values are escaped for spreadsheets,
// which a file can also mark itself.
func (s *Service) Resubmit(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID, name string, escaped bool, content io.Reader) (started audience.Run, err error) {
	d, err := s.begin(ctx, a, allow(a, toWrite), audience.RunResubmitRows, string(id))
	if err != nil {
		return audience.Run{}, err
	}
	defer d.end(ctx, &err)
	r, err := s.Run(ctx, a, id, run)
	if err != nil {
		return audience.Run{}, err
	}
	if r.Status == audience.Processing || len(r.Result.Rejects) == 0 {
		return audience.Run{}, audience.Errorf(audience.Impossible, "run %s has no rejects to correct; its status is %s", r.ID, r.Status)
	}
	if err := s.noRun(ctx, r); err != nil {
		return audience.Run{}, err
	}
	if name = path.Base("/" + name); name == "/" {
		name = "corrected"
	}
	target := path.Join(connect.CorrectedFolder, string(r.ID), uuid.NewString()+"-"+name)
	if problem := audience.CheckPath(target); problem != "" || len(path.Base(target)) > 255 {
		return audience.Run{}, audience.InvalidField("name", "is not a valid file name: %.64q", name)
	}
	if _, err := s.put(ctx, a.Scope, target, landing.Upload{Body: content, Length: -1}); err != nil {
		return audience.Run{}, err
	}
	started, err = s.startRun(ctx, d, id, audience.RunRequest{Kind: audience.RunResubmit, Of: r.ID, File: target, Escaped: escaped, Differential: true,
		Reason: "corrected rows of run " + string(r.ID)})
	if err != nil {
		s.cfg.Sources.RemoveCorrected(a.Scope, target)
	}
	return started, err
}

// noRun refuses an action that is impossible while a run of the same audience is in progress.
func (s *Service) noRun(ctx context.Context, r audience.Run) error {
	_, busy, err := s.cfg.Store.Runs(ctx, r.Scope, r.AudienceID, audience.InProgress)
	if err == nil && busy > 0 {
		return s.runInProgress(ctx, r.Scope, r)
	}
	return err
}
