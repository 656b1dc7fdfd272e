package client

import (
	"context"
	"net/http"
)

// ValidationRequest requests an inspection of files before an audience exists.
type ValidationRequest struct {
	SourceSpec SourceSpec `json:"sourceSpec"`
	Fields     []Field    `json:"fields,omitempty"`  // to parse the sample with; the proposed fields if empty
	Rows       *int       `json:"rows,omitempty"`    // size of the sample, 1 to 10,000; 1,000
	Preview    bool       `json:"preview,omitempty"` // return the values of the first rows, which are personal data
}

// Validation is the answer. Its counts refer to the sample, not to the whole files.
type Validation struct {
	Files     []ValidatedFile `json:"files"`
	MoreFiles bool            `json:"moreFiles,omitempty"` // the path has more files
	// ProposedFormat contains the options that the files need and that the request's format does not set. Fields, rows
	// and rejects result from these options, unless the request has fields: then only the request's format applies.
	ProposedFormat *Format       `json:"proposedFormat,omitempty"`
	MoreFields     bool          `json:"moreFields,omitempty"` // the files have more columns than an audience can have fields
	Fields         []Field       `json:"fields"`               // proposed from the columns
	Problems       []Problem     `json:"problems"`             // would prevent the creation or a run of the audience
	RowsRead       int64         `json:"rowsRead"`
	RowsRejected   int64         `json:"rowsRejected"`
	RejectCounts   []RejectCount `json:"rejectCounts"`      // the most frequent first
	Rejects        []Reject      `json:"rejects"`           // the first ones
	Preview        [][]*string   `json:"preview,omitempty"` // the first rows, a value for each of Fields, nil for null
}

// ValidatedFile is a file that a run would list.
type ValidatedFile struct {
	Path           string   `json:"path"`
	Size           int64    `json:"size"`
	ModifiedAt     int64    `json:"modifiedAt"`
	Status         string   `json:"status"` // read, skipped or unsettled
	Reason         string   `json:"reason,omitempty"`
	Format         *Format  `json:"format,omitempty"`         // only for the first files that a run would read
	NestedColumns  []string `json:"nestedColumns,omitempty"`  // cannot be read: of objects or lists, or with a name that no field can have or several columns have
	MissingColumns []string `json:"missingColumns,omitempty"` // given fields without a column
	ExtraColumns   []string `json:"extraColumns,omitempty"`   // columns without a field
}

// RejectCount is the number of rejected rows of the sample by reason.
type RejectCount struct {
	Code   string `json:"code"`
	Column string `json:"column,omitempty"`
	Rows   int64  `json:"rows"`
}

// Validate inspects files and changes nothing.
func (c *Client) Validate(ctx context.Context, r ValidationRequest) (Validation, error) {
	var out Validation
	err := c.call(ctx, request{method: http.MethodPost, path: pathExternal + "/validate", body: r}, &out)
	return out, err
}
