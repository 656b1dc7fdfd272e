package api

import (
	"errors"
	"net/http"
	"strings"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/wire"
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
		return answer{}, formed(problems.Err(), &in.SourceSpec)
	}
	a, err := s.Service.UpdateAudience(c.Context(), c.actor, id, control.Patch{Source: new(sourceOf(in.SourceSpec))})
	if err != nil {
		return answer{}, formed(err, &in.SourceSpec)
	}
	return answer{http.StatusOK, namedAudience(&a)}, nil
}

// checkForm checks that a source is said in one of its forms, and a key of it in one of its spellings.
func checkForm(problems *audience.Problems, s client.SourceSpec) {
	if s.Params != nil && s.SourceParams != (client.SourceParams{}) {
		problems.Add("sourceSpec", "its properties stand either in it or in its params, not in both")
	}
	checkEncryption(problems, s.Where().Encryption)
}

// formed returns an error about a request with the paths of the source's properties as the client wrote the source.
func formed(err error, s *client.SourceSpec) error {
	var e *audience.Error
	if s == nil || s.Params == nil || !errors.As(err, &e) {
		return err
	}
	return e.WithPaths(inParams)
}

// noteBody returns a text about a source, which may begin with the path of a property, as the client wrote the source.
func noteBody(s audience.SourceSpec, text string) string {
	if s.OtherForm {
		return inParams(text)
	}
	return text
}

// inParams returns the path of a property of a source, or a text that begins with it, for a source that is written in
// params. The domain names the properties as if they stood in sourceSpec itself.
func inParams(path string) string {
	property, of := strings.CutPrefix(path, "sourceSpec.")
	if !of || strings.HasPrefix(property, "params.") {
		return path
	}
	return "sourceSpec.params." + property
}

// sourceOf is where a client says that files are.
func sourceOf(s client.SourceSpec) audience.SourceSpec {
	where := s.Where()
	return audience.SourceSpec{
		Path: where.Path, Type: audience.PathType(where.Type), SourceType: where.SourceType, CloudType: where.CloudType,
		BaseConnectionID: audience.ConnectionID(where.BaseConnectionID), Format: wire.FormatOf(where.Format),
		Encryption: encryptionOf(where.Encryption), OtherForm: s.Params != nil,
	}
}
