package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
)

// Forms in which all rejects of a run are listed.
const (
	RejectsCSV         = "csv"
	RejectsSpreadsheet = "spreadsheet" // CSV in which formulas are escaped
	RejectsNDJSON      = "ndjson"
)

// Rejects reads all rejects of a run into w, in the form RejectsCSV or RejectsSpreadsheet, which begin with a header, or
// RejectsNDJSON, a RejectedRow a line. A refusal with CodeNotFound means that they are kept no longer. A list that breaks off is an
// error, after w has a part of it.
func (c *Client) Rejects(ctx context.Context, audienceID, runID, form string, w io.Writer) error {
	path := audiencePath(audienceID) + "/runs/" + url.PathEscape(runID) + "/rejects"
	query := url.Values{"format": {form}}
	if form == RejectsSpreadsheet {
		query = url.Values{"format": {RejectsCSV}, "escape": {RejectsSpreadsheet}}
	}
	return c.call(ctx, request{method: http.MethodGet, path: path, query: query}, &download{to: w})
}
