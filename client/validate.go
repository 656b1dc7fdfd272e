package client

import (
	"context"
	"net/http"
)

// ValidationRequest asks what Roster makes of files before there is an audience of them.
type ValidationRequest struct {
	SourceSpec SourceSpec `json:"sourceSpec"`
	Fields     []Field    `json:"fields,omitempty"`  // by which the sample is typed; by the suggested ones when empty
	Rows       *int       `json:"rows,omitempty"`    // size of the sample, 1 to 10,000; 1,000
	Preview    bool       `json:"preview,omitempty"` // the values of the first rows are wanted: personal data
}

// Validation is the answer. It counts a sample, not the files.
type Validation struct {
	Files     []ValidatedFile `json:"files"`
	MoreFiles bool            `json:"moreFiles,omitempty"` // there are more than those
	// ProposedFormat has the options that the files need and that the request's format leaves open. Fields, rows and rejects are
	// what the files give with them, unless the request has fields: these are tried by its format as it is.
	ProposedFormat *Format       `json:"proposedFormat,omitempty"`
	MoreFields     bool          `json:"moreFields,omitempty"` // the files have more columns than an audience can have fields
	Fields         []Field       `json:"fields"`               // that the columns suggest
	Problems       []Problem     `json:"problems"`             // what would keep the audience from being created or run
	RowsRead       int64         `json:"rowsRead"`
	RowsRejected   int64         `json:"rowsRejected"`
	RejectCounts   []RejectCount `json:"rejectCounts"`      // the most frequent first
	Rejects        []Reject      `json:"rejects"`           // the first ones
	Preview        [][]*string   `json:"preview,omitempty"` // the first rows, a value for each of Fields, nil for null
}

// ValidatedFile is a file that a run would look at.
type ValidatedFile struct {
	Path           string   `json:"path"`
	Size           int64    `json:"size"`
	ModifiedAt     int64    `json:"modifiedAt"`
	Status         string   `json:"status"` // read, skipped or unsettled
	Reason         string   `json:"reason,omitempty"`
	Format         *Format  `json:"format,omitempty"`         // of the first files that would be read
	NestedColumns  []string `json:"nestedColumns,omitempty"`  // cannot be read: of objects or lists, or with a name that no field can have or several columns have
	MissingColumns []string `json:"missingColumns,omitempty"` // of the fields that were given
	ExtraColumns   []string `json:"extraColumns,omitempty"`   // that no field names
}

// RejectCount is how many rows of the sample were rejected for a reason.
type RejectCount struct {
	Code   string `json:"code"`
	Column string `json:"column,omitempty"`
	Rows   int64  `json:"rows"`
}

// Validate looks at files and changes nothing.
func (c *Client) Validate(ctx context.Context, r ValidationRequest) (Validation, error) {
	var out Validation
	err := c.call(ctx, request{method: http.MethodPost, path: pathExternal + "/validate", body: r}, &out)
	return out, err
}
