package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"roster/client"
	"roster/internal/audience"
)

// Namespaces lists and creates identity namespaces.
type Namespaces interface {
	Namespaces(ctx context.Context, a audience.Actor) ([]audience.Namespace, error)
	CreateNamespace(ctx context.Context, a audience.Actor, n audience.Namespace) (audience.Namespace, error)
}

func (s *server) listNamespaces(c *call) (answer, error) {
	list, err := s.Service.Namespaces(c.Context(), c.actor)
	if err != nil {
		return answer{}, err
	}
	body := []client.Namespace{}
	for _, n := range list {
		body = append(body, namespaceBody(n))
	}
	return answer{http.StatusOK, body}, nil
}

// namespace answers one namespace, by its number or its code.
func (s *server) namespace(c *call) (answer, error) {
	list, err := s.Service.Namespaces(c.Context(), c.actor)
	if err != nil {
		return answer{}, err
	}
	wanted := c.PathValue("namespace")
	at := slices.IndexFunc(list, func(n audience.Namespace) bool { return strconv.Itoa(n.ID) == wanted })
	if at < 0 {
		at = slices.IndexFunc(list, func(n audience.Namespace) bool { return strings.EqualFold(n.Code, wanted) })
	}
	if at < 0 {
		return answer{}, audience.Errorf(audience.NotFound, "there is no identity namespace with the number or the code %.100q", strings.ToValidUTF8(wanted, "?"))
	}
	return answer{http.StatusOK, namespaceBody(list[at])}, nil
}

func (s *server) createNamespace(c *call) (answer, error) {
	var in client.NewNamespace
	if err := c.typedJSON(&in); err != nil {
		return answer{}, err
	}
	n, err := s.Service.CreateNamespace(c.Context(), c.actor, audience.Namespace{
		Code: in.Code, Name: in.Name, Description: in.Description, IDType: in.IDType, Custom: true,
	})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, namespaceBody(n)}, nil
}

func namespaceBody(n audience.Namespace) client.Namespace {
	return client.Namespace{ID: n.ID, Code: n.Code, Name: n.Name, Description: n.Description, IDType: n.IDType, Status: "ACTIVE", Custom: n.Custom}
}
