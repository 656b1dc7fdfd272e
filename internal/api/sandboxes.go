package api

import (
	"context"
	"net/http"

	"roster/client"
	"roster/internal/audience"
)

// Sandboxes administers sandboxes.
type Sandboxes interface {
	Sandboxes(ctx context.Context, a audience.Actor) ([]audience.Sandbox, error)
	Sandbox(ctx context.Context, a audience.Actor, name string) (audience.Sandbox, error)
	CreateSandbox(ctx context.Context, a audience.Actor, sb audience.Sandbox) (audience.Sandbox, error)
	ResetSandbox(ctx context.Context, a audience.Actor, name string) (audience.Sandbox, error)
	DeleteSandbox(ctx context.Context, a audience.Actor, name string) (audience.Sandbox, error)
	ActorSandbox(ctx context.Context, a audience.Actor) (audience.Sandbox, error)
}

func (s *server) listSandboxes(c *call) (answer, error) {
	list, err := s.Service.Sandboxes(c.Context(), c.actor)
	if err != nil {
		return answer{}, err
	}
	body := client.SandboxList{Sandboxes: []client.Sandbox{}, Page: client.ListPage{Limit: len(list), Count: len(list)}}
	for i := range list {
		body.Sandboxes = append(body.Sandboxes, sandboxBody(&list[i]))
	}
	return answer{http.StatusOK, body}, nil
}

func (s *server) sandbox(c *call) (answer, error) {
	sb, err := s.Service.Sandbox(c.Context(), c.actor, c.PathValue("name"))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, sandboxBody(&sb)}, nil
}

func (s *server) createSandbox(c *call) (answer, error) {
	var in client.NewSandbox
	if err := c.typedJSON(&in); err != nil {
		return answer{}, err
	}
	sb, err := s.Service.CreateSandbox(c.Context(), c.actor, audience.Sandbox{Name: in.Name, Title: in.Title, Type: in.Type})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusAccepted, sandboxBody(&sb)}, nil
}

// actOnSandbox performs the action in its body, which can only be a reset.
func (s *server) actOnSandbox(c *call) (answer, error) {
	var in client.SandboxAction
	if err := c.typedJSON(&in); err != nil {
		return answer{}, err
	}
	if in.Action != "reset" {
		return answer{}, audience.InvalidField("action", "%.64q is not supported; use reset", in.Action)
	}
	sb, err := s.Service.ResetSandbox(c.Context(), c.actor, c.PathValue("name"))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusAccepted, sandboxBody(&sb)}, nil
}

func (s *server) deleteSandbox(c *call) (answer, error) {
	sb, err := s.Service.DeleteSandbox(c.Context(), c.actor, c.PathValue("name"))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusAccepted, sandboxBody(&sb)}, nil
}

func sandboxBody(sb *audience.Sandbox) client.Sandbox {
	return client.Sandbox{ID: sb.ID, Name: sb.Name, Title: sb.Title, State: string(sb.State), Type: sb.Type, Region: "local", IsDefault: sb.Default}
}
