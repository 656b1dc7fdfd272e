package api

import (
	"net/http"

	"roster/client"
	"roster/internal/audience"
)

// extendTTL starts a run that restarts the time to live of an audience's members.
func (s *server) extendTTL(c *call) (answer, error) {
	id, err := c.audienceID()
	if err != nil {
		return answer{}, err
	}
	data, err := c.body()
	if err != nil {
		return answer{}, err
	}
	if len(data) > 0 {
		body, err := parse(data)
		if err != nil {
			return answer{}, err
		}
		if body.kind != kindObject || len(body.nodes) > 0 {
			return answer{}, audience.InvalidField("", "the body must be empty: the new time to live is the audience's ttlInDays")
		}
	}
	r, err := s.Service.ExtendTTL(c.Context(), c.actor, id)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.Extension{AudienceID: string(r.AudienceID), Name: r.AudienceName, AudienceName: r.AudienceName, RunID: string(r.ID)}}, nil
}
