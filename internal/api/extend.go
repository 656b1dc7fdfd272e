package api

import (
	"net/http"

	"roster/client"
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
		if err := decode(data, &struct{}{}); err != nil {
			return answer{}, err
		}
	}
	r, err := s.Service.ExtendTTL(c.Context(), c.actor, id)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.Extension{AudienceID: string(r.AudienceID), Name: r.AudienceName, AudienceName: r.AudienceName, RunID: string(r.ID)}}, nil
}
