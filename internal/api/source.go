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

// changeSource changes the location of an audience's files.
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

// checkForm checks that a source has one of its two forms, and a key of it one of its spellings.
func checkForm(problems *audience.Problems, s client.SourceSpec) {
	if s.Params != nil && s.SourceParams != (client.SourceParams{}) {
		problems.Add("sourceSpec", "its properties must be either in it or in its params, not in both")
	}
	checkEncryption(problems, s.Where().Encryption)
}

// formed returns an error about a request with the paths of the source's properties as the client wrote them.
func formed(err error, s *client.SourceSpec) error {
	var e *audience.Error
	if s == nil || s.Params == nil || !errors.As(err, &e) {
		return err
	}
	return e.WithPaths(inParams)
}

// noteBody returns a text about a source, which may begin with the path of a property, with the path as the client
// wrote it.
func noteBody(s audience.SourceSpec, text string) string {
	if s.OtherForm {
		return inParams(text)
	}
	return text
}

// inParams returns the path of a source's property, or a text that begins with it, for a source in the form with
// params. The domain uses the paths of the form without params.
func inParams(path string) string {
	property, of := strings.CutPrefix(path, "sourceSpec.")
	if !of || strings.HasPrefix(property, "params.") {
		return path
	}
	return "sourceSpec.params." + property
}

// sourceOf converts the location of files in a request.
func sourceOf(s client.SourceSpec) audience.SourceSpec {
	where := s.Where()
	return audience.SourceSpec{
		Path: where.Path, Type: audience.PathType(where.Type), SourceType: where.SourceType, CloudType: where.CloudType,
		BaseConnectionID: audience.ConnectionID(where.BaseConnectionID), Format: wire.FormatOf(where.Format),
		Encryption: encryptionOf(where.Encryption), OtherForm: s.Params != nil,
	}
}
