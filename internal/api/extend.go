package api

import (
	"net/http"

	"roster/client"
	"roster/internal/audience"
)

// extendTTL starts a run that gives the members of an audience their whole time again.
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
			return answer{}, audience.InvalidField("", "the body must be empty: the members live another ttlInDays of the audience")
		}
	}
	r, err := s.Service.ExtendTTL(c.Context(), c.actor, id)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.Extension{AudienceID: string(r.AudienceID), Name: r.AudienceName, AudienceName: r.AudienceName, RunID: string(r.ID)}}, nil
}
