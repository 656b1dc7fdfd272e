package api

import (
	"bytes"
	"context"
	"net/http"
	"strconv"

	"roster/client"
	"roster/internal/audience"
)

// Receipts reads the receipts of runs.
type Receipts interface {
	Receipt(ctx context.Context, a audience.Actor, id audience.ID, run audience.RunID) (audience.Receipt, error)
}

// receipt answers the signed receipt of a run.
func (s *server) receipt(c *call) (answer, error) {
	id, run, err := c.runID()
	if err != nil {
		return answer{}, err
	}
	r, err := s.Service.Receipt(c.Context(), c.actor, id, run)
	if err != nil {
		return answer{}, err
	}
	text := bytes.TrimSpace(encode(receiptBody(&r)))
	signature, err := s.Issuer.SignReceipt(text)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.SignedReceipt{Receipt: text, Signature: signature}}, nil
}

func receiptBody(r *audience.Receipt) client.Receipt {
	return client.Receipt{
		Version: client.ReceiptVersion, Issuer: audience.Issuer, Organization: r.Scope.Org, Sandbox: r.Scope.Sandbox,
		AudienceID: string(r.AudienceID), AudienceName: r.AudienceName, RunID: string(r.RunID), Seq: r.Seq,
		Kind: string(r.Kind), Of: string(r.Of), DifferentialIngestion: r.Differential,
		DataFilterStartTime: epoch(r.WindowStart), DataFilterEndTime: epoch(r.WindowEnd), Force: r.Force,
		CreatedAt: epoch(r.CreatedAt), CreatedBy: r.CreatedBy, EndedAt: epoch(r.EndedAt),
		Rows: client.Rows(r.Rows), Members: client.Members(r.Members), Files: append([]client.RunFile{}, runFiles(r.Files)...),
		Dataset:       client.ReceiptDataset{Location: r.Location, SnapshotID: strconv.FormatInt(r.SnapshotID, 10)},
		ReplacedFiles: r.Replaced, UnreadableMembers: r.Unreadable, Outside: outside(r.Outside),
		ContentSum: client.ContentSum{Algorithm: client.ContentSumAlgorithm, Value: strconv.FormatUint(r.ContentSum, 10)},
	}
}

// keys answers the public keys of the server's signatures.
func (s *server) keys(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(s.Issuer.Keys())
}
