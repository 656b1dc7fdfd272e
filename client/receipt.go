package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Receipt proves what a run did: the files that it read, the outcome of every row, and the resulting dataset. Times are
// epoch seconds.
type Receipt struct {
	Version               int               `json:"version"` // ReceiptVersion
	Issuer                string            `json:"issuer"`
	Organization          string            `json:"organization"`
	Sandbox               string            `json:"sandbox"`
	AudienceID            string            `json:"audienceId"`
	AudienceName          string            `json:"audienceName"`
	RunID                 string            `json:"runId"`
	Seq                   int64             `json:"seq"`            // sequence number of the run in the audience
	Kind                  string            `json:"kind,omitempty"` // as in Run
	Of                    string            `json:"of,omitempty"`   // as in Run
	DifferentialIngestion bool              `json:"differentialIngestion"`
	DataFilterStartTime   int64             `json:"dataFilterStartTime"`
	DataFilterEndTime     int64             `json:"dataFilterEndTime"`
	Force                 bool              `json:"force,omitempty"`
	CreatedAt             int64             `json:"createdAt"`
	CreatedBy             string            `json:"createdBy"`
	EndedAt               int64             `json:"endedAt"`
	Rows                  Rows              `json:"rows"`
	Members               Members           `json:"members"`
	Files                 []RunFile         `json:"files"`
	Dataset               ReceiptDataset    `json:"dataset"`
	ReplacedFiles         []string          `json:"replacedFiles,omitempty"`     // as in Run
	UnreadableMembers     int64             `json:"unreadableMembers,omitempty"` // as in Run
	Outside               []OutsideSnapshot `json:"outside,omitempty"`           // as in Run
	ContentSum            ContentSum        `json:"contentSum"`
}

// ReceiptVersion is the version of receipts that this package supports.
const ReceiptVersion = 1

// ReceiptDataset is the state of a dataset.
type ReceiptDataset struct {
	Location   string `json:"location"` // of the Iceberg table
	SnapshotID string `json:"snapshotId"`
}

// ContentSum is a sum over all rows of a dataset, which any reader of the dataset can recompute.
type ContentSum struct {
	Algorithm string `json:"algorithm"` // ContentSumAlgorithm
	Value     string `json:"value"`     // decimal
}

// ContentSumAlgorithm is the sum of the column _roster_row as unsigned 64-bit numbers, modulo 2^64.
const ContentSumAlgorithm = "sum64(_roster_row)"

// SignedReceipt is a receipt with the server's signature, a JSON Web Signature in compact form whose payload is the
// receipt, byte for byte.
type SignedReceipt struct {
	Receipt   json.RawMessage `json:"receipt"`
	Signature string          `json:"signature"`
}

// Receipt reads the receipt of a run that ended SUCCESS and was not a dry run.
func (c *Client) Receipt(ctx context.Context, audienceID, runID string) (SignedReceipt, error) {
	var out SignedReceipt
	err := c.call(ctx, request{method: http.MethodGet, path: audiencePath(audienceID) + "/runs/" + url.PathEscape(runID) + "/receipt"}, &out)
	return out, err
}

// Keys reads the public keys for verifying the server's signatures, a JSON Web Key Set. Keys needs no credentials.
func Keys(ctx context.Context, server string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(server, "/")+"/.well-known/jwks.json", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", req.URL, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, 1<<20))
}

// Faults returns a sentence for each inconsistency in the receipt's ledger, and nothing for a consistent receipt.
func (r *Receipt) Faults() []string {
	var faults []string
	var sum Rows
	for _, f := range r.Files {
		if !f.Rows.balanced() {
			faults = append(faults, fmt.Sprintf("the rows of %s do not add up to the %d that were read", f.Path, f.Rows.Read))
		}
		sum = sum.plus(f.Rows)
	}
	if !r.Rows.balanced() {
		faults = append(faults, fmt.Sprintf("the run's rows do not add up to the %d that were read", r.Rows.Read))
	}
	if sum != r.Rows {
		faults = append(faults, "the run's rows are not the sum of its files' rows")
	}
	if m := r.Members; m.After != m.Before+r.Rows.Added-r.Rows.Deleted-m.Removed-m.Expired {
		faults = append(faults, fmt.Sprintf("the members before, and those who came and left, do not make the %d members after", m.After))
	}
	return faults
}

// parts returns the counts whose sum is Read.
func (r *Rows) parts() []*int64 {
	return []*int64{&r.Rejected, &r.Duplicates, &r.Added, &r.Updated, &r.Unchanged, &r.Deleted, &r.DeletedNotMember}
}

func (r Rows) balanced() bool {
	sum := int64(0)
	for _, n := range r.parts() {
		sum += *n
	}
	return sum == r.Read
}

func (r Rows) plus(o Rows) Rows {
	r.Read += o.Read
	more := o.parts()
	for i, n := range r.parts() {
		*n += *more[i]
	}
	return r
}
