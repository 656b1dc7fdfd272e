package api

import (
	"context"
	"net/http"
	"strconv"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

// Versions lists and restores versions of audiences.
type Versions interface {
	Versions(ctx context.Context, a audience.Actor, id audience.ID, offset, limit int) ([]control.Version, int, error)
	RemovedVersions(ctx context.Context, a audience.Actor, id audience.ID) ([]audience.DroppedVersion, error)
	Rollback(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID, r audience.RunRequest) (audience.Run, error)
}

// versions lists the versions of an audience that can be restored.
func (s *server) versions(c *call) (answer, error) {
	id, err := c.audienceID()
	if err != nil {
		return answer{}, err
	}
	q := c.query()
	limit, start := q.limit(defaultRuns, maxRuns), q.start()
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	list, total, err := s.Service.Versions(c.Context(), c.actor, id, start, limit)
	if err != nil {
		return answer{}, err
	}
	body := client.VersionList{Versions: []client.Version{}, Page: pageOf(limit, start, len(list), total)}
	for _, v := range list {
		body.Versions = append(body.Versions, client.Version{
			RunID: string(v.Run.ID), SnapshotID: strconv.FormatInt(v.SnapshotID, 10), CreatedAt: epoch(v.Run.CreatedAt), Kind: string(v.Run.Request.Kind),
			Members: v.Run.Result.Members.After, Rows: client.Rows(v.Run.Result.Rows), Current: v.Current, ExpiresAt: epoch(v.ExpiresAt),
		})
	}
	removed, err := s.Service.RemovedVersions(c.Context(), c.actor, id)
	if err != nil {
		return answer{}, err
	}
	for _, d := range removed {
		body.Removed = append(body.Removed, client.RemovedVersion{RunID: string(d.Run), SnapshotID: strconv.FormatInt(d.SnapshotID, 10), CommittedAt: epoch(d.At), ErasureID: string(d.Erasure)})
	}
	return answer{http.StatusOK, body}, nil
}

// rollback starts a run that restores an audience to the state after an earlier run.
func (s *server) rollback(c *call) (answer, error) {
	id, run, err := c.runID()
	if err != nil {
		return answer{}, err
	}
	data, err := c.body()
	if err != nil {
		return answer{}, err
	}
	var in client.Rollback
	if len(data) > 0 {
		if err := decode(data, &in); err != nil {
			return answer{}, err
		}
	}
	r, err := s.Service.Rollback(c.Context(), c.actor, id, run, audience.RunRequest{DryRun: in.DryRun != nil && *in.DryRun, Reason: in.Reason})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, startedRun(&r)}, nil
}
