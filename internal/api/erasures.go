package api

import (
	"bytes"
	"context"
	"net/http"
	"strconv"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

// Erasures erases people.
type Erasures interface {
	Erase(ctx context.Context, a audience.Actor, who control.IdentityRef) (audience.Erasure, error)
	Erasure(ctx context.Context, a audience.Actor, id audience.ErasureID) (audience.Erasure, error)
	Certificate(ctx context.Context, a audience.Actor, id audience.ErasureID) (audience.Certificate, error)
	Erasures(ctx context.Context, a audience.Actor, after *audience.Position, limit int) ([]audience.Erasure, error)
}

// defaultErasures is the size of a page of erasures.
const defaultErasures = 20

// erase starts the removal of an identity from all audiences of the sandbox.
func (s *server) erase(c *call) (answer, error) {
	q := c.query()
	who := q.identity()
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	e, err := s.Service.Erase(c.Context(), c.actor, who)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusAccepted, client.ErasureStarted{JobID: string(e.ID), Status: string(e.Status)}}, nil
}

func (s *server) listErasures(c *call) (answer, error) {
	q := c.query()
	after := timePages.after(q)
	limit := q.limit(defaultErasures, control.MaxErasures)
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	list, err := s.Service.Erasures(c.Context(), c.actor, after, limit+1) // one more: is there another page?
	if err != nil {
		return answer{}, err
	}
	body := client.ErasureList{Erasures: []client.Erasure{}, Page: client.CursorPage{Limit: limit}}
	list, last := page(list, limit)
	if last != nil {
		body.Page.Next = timePages.next(q, last.CreatedAt, string(last.ID))
	}
	for i := range list {
		body.Erasures = append(body.Erasures, erasureBody(&list[i]))
	}
	body.Page.Count = len(list)
	return answer{http.StatusOK, body}, nil
}

func (c *call) erasureID() (audience.ErasureID, error) {
	id, err := c.id("erasureId", "erasure")
	return audience.ErasureID(id), err
}

func (s *server) erasure(c *call) (answer, error) {
	id, err := c.erasureID()
	if err != nil {
		return answer{}, err
	}
	e, err := s.Service.Erasure(c.Context(), c.actor, id)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, erasureBody(&e)}, nil
}

// certificate answers the signed certificate of an erasure.
func (s *server) certificate(c *call) (answer, error) {
	id, err := c.erasureID()
	if err != nil {
		return answer{}, err
	}
	e, err := s.Service.Certificate(c.Context(), c.actor, id)
	if err != nil {
		return answer{}, err
	}
	text := bytes.TrimSpace(encode(certificateBody(&e)))
	signature, err := s.Issuer.SignCertificate(text)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.SignedCertificate{Certificate: text, Signature: signature}}, nil
}

func certificateBody(e *audience.Certificate) client.ErasureCertificate {
	return client.ErasureCertificate{
		Version: client.CertificateVersion, Issuer: audience.Issuer, Organization: e.Scope.Org, Sandbox: e.Scope.Sandbox, ErasureID: string(e.ErasureID),
		Namespace: e.Namespace, XID: e.XID, Covers: e.Covers, Audiences: erasedAudiences(e.Audiences),
		CreatedAt: epoch(e.CreatedAt), CreatedBy: e.CreatedBy, EndedAt: epoch(e.EndedAt),
	}
}

func erasureBody(e *audience.Erasure) client.Erasure {
	return client.Erasure{ID: string(e.ID), Namespace: e.Namespace, XID: e.XID, Status: string(e.Status), Audiences: erasedAudiences(e.Progress.Audiences), Error: failure(e.Error),
		CreatedBy: e.CreatedBy, CreatedAt: epoch(e.CreatedAt), EndedAt: epoch(e.EndedAt)}
}

func erasedAudiences(erased []audience.ErasedAudience) []client.ErasedAudience {
	list := []client.ErasedAudience{}
	for _, a := range erased {
		body := client.ErasedAudience{AudienceID: string(a.ID), RunID: string(a.RunID), Members: a.Members, Versions: a.Versions,
			Files: a.Files, Rejects: a.Rejects}
		for _, d := range a.Dropped {
			body.RemovedVersions = append(body.RemovedVersions, client.RemovedVersion{RunID: string(d.Run), SnapshotID: strconv.FormatInt(d.SnapshotID, 10),
				CommittedAt: epoch(d.At)})
		}
		list = append(list, body)
	}
	return list
}
