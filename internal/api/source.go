package api

import (
	"net/http"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

// changeSource has an audience read its files elsewhere.
func (s *server) changeSource(c *call) (answer, error) {
	id, err := c.audienceID()
	if err != nil {
		return answer{}, err
	}
	var in client.SourceChange
	if err := c.json(&in); err != nil {
		return answer{}, err
	}
	var problems audience.Problems
	if checkForm(&problems, in.SourceSpec); problems.Err() != nil {
		return answer{}, problems.Err()
	}
	a, err := s.Service.UpdateAudience(c.Context(), c.actor, id, control.Patch{Source: new(sourceOf(in.SourceSpec))})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, namedAudience(&a)}, nil
}

// checkForm checks that a source is said in one of its forms, and a key of it in one of its spellings.
func checkForm(problems *audience.Problems, s client.SourceSpec) {
	if s.Params != nil && s.SourceParams != (client.SourceParams{}) {
		problems.Add("sourceSpec", "its properties stand either in it or in its params, not in both")
	}
	checkEncryption(problems, audience.SourceSpec{Nested: s.Params != nil}, s.Where().Encryption)
}

// sourceOf is where a client says that files are.
func sourceOf(s client.SourceSpec) audience.SourceSpec {
	where := s.Where()
	return audience.SourceSpec{
		Path: where.Path, Type: audience.PathType(where.Type), SourceType: where.SourceType, CloudType: where.CloudType,
		BaseConnectionID: audience.ConnectionID(where.BaseConnectionID), Nested: s.Params != nil, Format: formatOf(where.Format),
		Encryption: encryptionOf(where.Encryption),
	}
}
