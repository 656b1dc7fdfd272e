package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
)

// Forms in which all rejects of a run are listed.
const (
	RejectsCSV    = "csv"
	RejectsNDJSON = "ndjson"
)

// Rejects reads all rejects of a run into w, in the form RejectsCSV, which begins with a header, or RejectsNDJSON, a
// RejectedRow a line. A refusal with CodeNotFound means that they are kept no longer. A list that breaks off is an
// error, after w has a part of it.
func (c *Client) Rejects(ctx context.Context, audienceID, runID, form string, w io.Writer) error {
	path := audiencePath(audienceID) + "/runs/" + url.PathEscape(runID) + "/rejects"
	return c.call(ctx, request{method: http.MethodGet, path: path, query: url.Values{"format": {form}}}, &download{to: w})
}
