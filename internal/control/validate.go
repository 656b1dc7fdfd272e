package control

import (
	"context"
	"errors"
	"strings"
	"time"

	"roster/internal/audience"
	"roster/internal/survey"
)

const (
	// MaxSampleRows is the largest number of rows of a validation, and DefaultSampleRows the default.
	MaxSampleRows     = 10_000
	DefaultSampleRows = 1_000
	// validateWithin is the time limit of a validation.
	validateWithin = 20 * time.Second
)

// Validation describes the files that an audience would read. Its Problems would prevent the audience from being
// created or run.
type Validation = survey.Result

// Validate surveys the files of an audience before it is created: their format, the fields that they suggest, and the
// result of the draft's fields for a sample of rows. It uses only Source and Fields of the draft; if the fields have
// problems, the sample is read with the suggested ones. It changes nothing. A client that may create an audience may
// see the values of the first rows, which preview requests.
func (s *Service) Validate(ctx context.Context, a audience.Actor, d Draft, rows int, preview bool) (Validation, error) {
	if err := allow(a, toWrite); err != nil {
		return Validation{}, err
	}
	d.Scope = a.Scope
	problems, err := s.checkDraft(ctx, &d)
	if err != nil {
		return Validation{}, err
	}
	if err := checkConnection(ctx, s.cfg.Store, &d); err != nil {
		return Validation{}, err
	}
	if err := s.checkEncryption(ctx, s.cfg.Store, a.Scope, &d.Source); err != nil {
		return Validation{}, err
	}
	admitted, err := s.requests.admit(a.Scope, limitedLooks, s.cfg.Limits.Looks)
	if err != nil {
		return Validation{}, err
	}
	defer admitted()
	within, done := context.WithTimeout(ctx, validateWithin)
	defer done()
	v, err := s.survey(within, d, rows, preview, len(problems) == 0)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = audience.Errorf(audience.BadGateway, "the source did not answer within %s, or its files take longer to look at; ask for fewer rows, or check the connection", validateWithin)
	}
	if err != nil {
		return Validation{}, err
	}
	v.Problems = append(problems, v.Problems...)
	return v, nil
}

// survey surveys the files of a draft, with its fields or without them.
func (s *Service) survey(ctx context.Context, d Draft, rows int, preview, byFields bool) (Validation, error) {
	src, err := s.cfg.Sources.OpenAudience(ctx, &d)
	if err != nil {
		return Validation{}, err
	}
	defer src.Close()
	req := survey.Request{Source: src.Store, Spec: d.Source, Settle: s.cfg.Sources.SettleRule(&d).For(src.Store), Rows: rows, Preview: preview,
		Keys: s.cfg.Sources.Keys(d.Scope, d.Source.Encryption), Encrypted: d.Source.Encryption != nil}
	if byFields {
		req.Fields = d.Fields
	}
	v, err := s.look(ctx, d.Scope, req)
	if err != nil {
		return Validation{}, err
	}
	return v, readable(v.Files)
}

// readable refuses files if none of them can be read.
func readable(list []survey.File) error {
	first := ""
	for _, f := range list {
		if f.Format != nil {
			return nil
		}
		if first == "" {
			first = f.Error
		}
	}
	if first == "" {
		return nil // files without rows
	}
	return audience.Errorf(audience.Impossible, "%s", first)
}

// checkDraft checks the source of a draft, and returns the problems of its fields.
func (s *Service) checkDraft(ctx context.Context, d *Draft) ([]audience.Problem, error) {
	custom, err := s.cfg.Store.Namespaces(ctx, d.Scope.Org)
	if err != nil {
		return nil, err
	}
	whole := audience.Audience{Name: "validate", OriginName: audience.OriginUpload, TTLDays: audience.DefaultTTLDays, Fields: d.Fields, Source: d.Source}
	if len(d.Fields) == 0 {
		whole.Fields = []audience.Field{{Name: "identity", Type: audience.String, IdentityNs: "Email"}}
	}
	err = audience.Validate(&whole, audience.Rules{Namespaces: custom})
	d.Source = whole.Source
	var wrong *audience.Error
	if err == nil || !errors.As(err, &wrong) {
		return nil, err
	}
	for _, p := range wrong.Problems {
		if !strings.HasPrefix(p.Path, "fields") {
			return nil, err
		}
	}
	return wrong.Problems, nil
}
