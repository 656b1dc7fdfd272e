package api

import (
	"context"
	"net/http"
	"slices"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/wire"
)

// Drafts reads the files of audiences that do not exist yet.
type Drafts interface {
	Validate(ctx context.Context, a audience.Actor, d control.Draft, rows int, preview bool) (control.Validation, error)
}

// validate surveys the files that an audience would read, and proposes its fields.
func (s *server) validate(c *call) (answer, error) {
	var in client.ValidationRequest
	if err := c.typedJSON(&in); err != nil {
		return answer{}, err
	}
	rows := control.DefaultSampleRows
	if in.Rows != nil {
		if rows = *in.Rows; rows < 1 || rows > control.MaxSampleRows {
			return answer{}, audience.InvalidField("rows", "must be from 1 to %d", control.MaxSampleRows)
		}
	}
	d, err := draft(&client.NewAudience{SourceSpec: in.SourceSpec, Fields: in.Fields})
	if err != nil {
		return answer{}, formed(err, &in.SourceSpec)
	}
	v, err := s.Service.Validate(c.Context(), c.actor, d, rows, in.Preview)
	if err != nil {
		return answer{}, formed(err, &in.SourceSpec)
	}
	for i := range v.Problems {
		v.Problems[i].Path = noteBody(d.Source, v.Problems[i].Path)
	}
	return answer{http.StatusOK, validationBody(&v)}, nil
}

func validationBody(v *control.Validation) client.Validation {
	b := client.Validation{Files: []client.ValidatedFile{}, MoreFiles: v.More, Fields: fieldsBody(v.Fields), MoreFields: v.Columns > len(v.Fields), ProposedFormat: wire.Format(v.Proposed), Problems: []client.Problem{},
		RowsRead: v.Rows, RejectCounts: []client.RejectCount{}, Rejects: []client.Reject{}, Preview: v.Preview}
	for _, f := range v.Files {
		b.Files = append(b.Files, client.ValidatedFile{Path: f.Path, Size: f.Size, ModifiedAt: epoch(f.ModifiedAt), Status: string(f.Status), Reason: f.Reason,
			Format: wire.Format(f.Format), NestedColumns: slices.Concat(f.Nested, f.Unnamed), MissingColumns: f.Missing, ExtraColumns: f.Extra})
	}
	for _, p := range v.Problems {
		b.Problems = append(b.Problems, client.Problem(p))
	}
	for _, n := range v.Counts {
		b.RowsRejected += n.Rows
		b.RejectCounts = append(b.RejectCounts, client.RejectCount(n))
	}
	for _, rj := range v.Rejects {
		b.Rejects = append(b.Rejects, client.Reject(rj))
	}
	return b
}
