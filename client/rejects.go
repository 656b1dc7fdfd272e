package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
)

// Formats of the list of all rejects of a run.
const (
	RejectsCSV         = "csv"
	RejectsSpreadsheet = "spreadsheet" // CSV with escaped formulas
	RejectsNDJSON      = "ndjson"
)

// Rejects writes all rejects of a run to w: as RejectsCSV or RejectsSpreadsheet, which begin with a header, or as
// RejectsNDJSON, one RejectedRow per line. A refusal with CodeNotFound means that the rejects are no longer kept. If
// the list is interrupted, Rejects returns an error after it has written a part of the list.
func (c *Client) Rejects(ctx context.Context, audienceID, runID, form string, w io.Writer) error {
	path := audiencePath(audienceID) + "/runs/" + url.PathEscape(runID) + "/rejects"
	query := url.Values{"format": {form}}
	if form == RejectsSpreadsheet {
		query = url.Values{"format": {RejectsCSV}, "escape": {RejectsSpreadsheet}}
	}
	return c.call(ctx, request{method: http.MethodGet, path: path, query: query}, &download{to: w})
}
