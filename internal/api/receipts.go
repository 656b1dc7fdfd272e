package api

import (
	"bytes"
	"context"
	"net/http"
	"strconv"

	"roster/client"
	"roster/internal/audience"
)

// Receipts finds runs that have a receipt.
type Receipts interface {
	Receipt(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID) (r audience.Run, location string, err error)
}

// receiptIssuer is who receipts say that they are from.
const receiptIssuer = "roster"

// receipt answers the signed receipt of a run.
func (s *server) receipt(c *call) (answer, error) {
	id, run, err := c.runID()
	if err != nil {
		return answer{}, err
	}
	r, location, err := s.Service.Receipt(c.Context(), c.actor, id, run)
	if err != nil {
		return answer{}, err
	}
	text := bytes.TrimSpace(encode(receiptBody(&r, location)))
	signature, err := s.Issuer.SignReceipt(text)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.SignedReceipt{Receipt: text, Signature: signature}}, nil
}

// receiptBody is made of what never changes once the run has ended, so that a run has one receipt.
func receiptBody(r *audience.Run, location string) client.Receipt {
	return client.Receipt{
		Version: client.ReceiptVersion, Issuer: receiptIssuer, Organization: r.Scope.Org, Sandbox: r.Scope.Sandbox,
		AudienceID: string(r.AudienceID), AudienceName: r.AudienceName, RunID: string(r.ID), Seq: r.Seq,
		Kind: string(r.Request.Kind), Of: string(r.Request.Of), DifferentialIngestion: r.Request.Differential,
		DataFilterStartTime: epoch(r.Request.WindowStart), DataFilterEndTime: epoch(r.Request.WindowEnd), Force: r.Request.Force,
		CreatedAt: epoch(r.CreatedAt), CreatedBy: r.CreatedBy, EndedAt: epoch(r.EndedAt),
		Rows: client.Rows(r.Result.Rows), Members: client.Members(r.Result.Members), Files: append([]client.RunFile{}, runFiles(r)...),
		Dataset:       client.ReceiptDataset{Location: location, SnapshotID: strconv.FormatInt(r.Result.SnapshotID, 10)},
		ReplacedFiles: r.Result.Replaced, UnreadableMembers: r.Result.Unreadable,
		ContentSum: client.ContentSum{Algorithm: client.ContentSumAlgorithm, Value: strconv.FormatUint(r.Result.ContentSum, 10)},
	}
}

// keys answers the public keys of the server's signatures.
func (s *server) keys(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(s.Issuer.Keys())
}
