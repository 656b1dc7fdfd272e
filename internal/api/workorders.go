package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

// Orders erases the people of work orders.
type Orders interface {
	Order(ctx context.Context, a audience.Actor, who []control.IdentityRef, order audience.WorkOrder) (audience.Erasure, error)
	OrderState(ctx context.Context, a audience.Actor, order *audience.WorkOrder) (processing int, updated time.Time, err error)
}

// A work order of AEP's Data Hygiene is one erasure for each of its identities. The first erasure refers to the order
// and has the order's id.

const (
	// orderPrefix is the prefix of the ids of work orders.
	orderPrefix = "DI-"
	// allDatasets is the only dataset that a work order may name, because an erasure removes an identity from every
	// dataset.
	allDatasets = "ALL"
	// defaultOrders and maxOrders are the default and the largest size of a page of work orders.
	defaultOrders = 25
	maxOrders     = 100
	maxOrderPage  = 1000
)

func (s *server) createWorkOrder(c *call) (answer, error) {
	var in client.NewWorkOrder
	if err := c.typedJSON(&in); err != nil {
		return answer{}, err
	}
	who, err := orderedIdentities(&in)
	if err != nil {
		return answer{}, err
	}
	if in.DatasetID != allDatasets {
		return answer{}, audience.Errorf(audience.Impossible, "datasetId: must be %s: an erasure removes an identity from every audience of the sandbox, "+
			"not from a single dataset", allDatasets)
	}
	e, err := s.Service.Order(c.Context(), c.actor, who, audience.WorkOrder{Name: in.DisplayName, Description: in.Description})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, orderBody(&e, "received")}, nil
}

// orderedIdentities returns the identities of a work order, each once.
func orderedIdentities(in *client.NewWorkOrder) (who []control.IdentityRef, err error) {
	var p audience.Problems
	if in.Action != "delete_identity" {
		p.Add("action", "%.64q is not supported; use delete_identity", in.Action)
	}
	p.OptionalText("displayName", in.DisplayName)
	p.OptionalText("description", in.Description)
	seen := map[control.IdentityRef]bool{}
	add := func(path, namespace, id string) {
		if id == "" || namespace == "" {
			p.Add(path, "must have the code of a namespace and a non-empty identity")
		}
		if ref := (control.IdentityRef{ID: id, Namespace: namespace}); !seen[ref] {
			seen[ref] = true
			who = append(who, ref)
		}
	}
	for i, n := range in.NamespacesIdentities {
		for j, id := range n.IDs {
			add(fmt.Sprintf("namespacesIdentities[%d].IDs[%d]", i, j), n.Namespace.Code, id)
		}
	}
	for i, one := range in.Identities {
		add(fmt.Sprintf("identities[%d]", i), one.Namespace.Code, one.ID)
	}
	if n := len(who); n == 0 || n > control.MaxOrdered {
		p.Add("namespacesIdentities", "has %d identities; a work order must have 1 to %d", n, control.MaxOrdered)
	}
	return who, p.Err()
}

func (s *server) workOrder(c *call) (answer, error) {
	text := c.PathValue("workOrderId")
	absent := audience.Errorf(audience.NotFound, "there is no work order %.100q", strings.ToValidUTF8(text, "?"))
	id, ok := strings.CutPrefix(text, orderPrefix)
	if !ok {
		return answer{}, absent
	}
	e, err := s.Service.Erasure(c.Context(), c.actor, audience.ErasureID(id))
	if audience.CodeOf(err) == audience.NotFound || err == nil && e.Progress.Order == nil {
		return answer{}, absent
	}
	if err != nil {
		return answer{}, err
	}
	b, err := s.orderNow(c, &e)
	return answer{http.StatusOK, b}, err
}

// listWorkOrders answers a page of the work orders, the newest first.
func (s *server) listWorkOrders(c *call) (answer, error) {
	q := c.query()
	limit, page := q.limit(defaultOrders, maxOrders), 0
	if text := q.Get("page"); q.Has("page") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > maxOrderPage {
			q.problems.Add("page", "must be the number of a page, from 0 to %d", maxOrderPage)
		}
		page = n
	}
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	body := client.WorkOrderList{Results: []client.WorkOrder{}}
	for after := (*audience.Position)(nil); ; {
		list, err := s.Service.Erasures(c.Context(), c.actor, after, control.MaxErasures)
		if err != nil {
			return answer{}, err
		}
		for i := range list {
			after = &audience.Position{At: list[i].CreatedAt, ID: string(list[i].ID)}
			if list[i].Progress.Order == nil {
				continue
			}
			if body.Total++; body.Total > page*limit && len(body.Results) < limit {
				b, err := s.orderNow(c, &list[i])
				if err != nil {
					return answer{}, err
				}
				body.Results = append(body.Results, b)
			}
		}
		if len(list) < control.MaxErasures {
			break
		}
	}
	body.Count = len(body.Results)
	if (page+1)*limit < body.Total {
		body.Links.Next = &client.Link{Href: fmt.Sprintf("/workorder?page=%d&limit=%d", page+1, limit)}
	}
	return answer{http.StatusOK, body}, nil
}

// orderNow returns the current state of a work order: it is completed when all of its erasures are.
func (s *server) orderNow(c *call, first *audience.Erasure) (client.WorkOrder, error) {
	processing, updated, err := s.Service.OrderState(c.Context(), c.actor, first.Progress.Order)
	if err != nil {
		return client.WorkOrder{}, err
	}
	status := "completed"
	if processing > 0 {
		status = "received"
	}
	shown := *first
	shown.UpdatedAt = updated
	return orderBody(&shown, status), nil
}

func orderBody(first *audience.Erasure, status string) client.WorkOrder {
	const form = "2006-01-02T15:04:05.000Z"
	order := first.Progress.Order
	b := client.WorkOrder{WorkOrderID: orderPrefix + string(first.ID), OrgID: first.Scope.Org, BundleID: "BN-" + string(first.ID), Action: "identity-delete",
		CreatedAt: first.CreatedAt.UTC().Format(form), UpdatedAt: first.UpdatedAt.UTC().Format(form), OperationCount: len(order.Erasures),
		TargetServices: []string{"profile", "datalake"}, Status: status, CreatedBy: first.CreatedBy, DatasetID: allDatasets, DatasetName: allDatasets,
		DisplayName: order.Name, Description: order.Description}
	for _, id := range order.Erasures {
		b.Erasures = append(b.Erasures, string(id))
	}
	return b
}
