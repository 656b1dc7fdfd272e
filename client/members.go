package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
)

// Member is one identity's membership of an audience, with its origin. Times are epoch seconds.
type Member struct {
	AudienceID            string         `json:"audienceId"`
	Identity              MemberIdentity `json:"identity"`
	Status                string         `json:"status"` // realized or exited
	Since                 int64          `json:"since"`
	LastQualificationTime int64          `json:"lastQualificationTime"`
	ValidUntil            int64          `json:"validUntil"`
	Run                   *MemberRun     `json:"run,omitempty"`  // nil if exited, or no longer known
	File                  *MemberFile    `json:"file,omitempty"` // likewise
	Line                  int64          `json:"line,omitempty"` // of File; 0 when exited
}

// MemberIdentity is an identity in its normal form.
type MemberIdentity struct {
	ID        string `json:"id"`
	Namespace string `json:"namespace"`
}

// MemberRun is the run that wrote a member's row.
type MemberRun struct {
	RunID     string `json:"runId"`
	CreatedAt int64  `json:"createdAt"`
}

// MemberFile is the file that a member's row comes from.
type MemberFile struct {
	Path    string `json:"path"`
	Version string `json:"version"`
}

// Member reads one identity's membership of an audience. A refusal with CodeNotFound means that the identity is not a
// member.
func (c *Client) Member(ctx context.Context, audienceID, namespace, identity string) (Member, error) {
	var out Member
	path := membersPath(audienceID) + "/" + url.PathEscape(namespace) + "/" + url.PathEscape(identity)
	err := c.call(ctx, request{method: http.MethodGet, path: path}, &out)
	return out, err
}

// Members writes a list of an audience's members to w, and returns the cursor of the next page: "" if the list has no
// limit or is complete. query is as in the API's documents (format, fields, asOf, limit, cursor). If the list is
// interrupted, Members returns an error after it has written a part of the list.
func (c *Client) Members(ctx context.Context, audienceID string, query url.Values, w io.Writer) (next string, err error) {
	out := download{to: w}
	if err := c.call(ctx, request{method: http.MethodGet, path: membersPath(audienceID), query: query}, &out); err != nil {
		return "", err
	}
	return out.header.Get("x-next-cursor"), nil
}

func membersPath(audienceID string) string { return audiencePath(audienceID) + "/members" }
