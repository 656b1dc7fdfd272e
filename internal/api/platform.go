package api

import (
	"io"
	"net/http"

	"roster/client"
	"roster/internal/audience"
)

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

// upload puts a file into the sandbox's landing zone.
func (s *server) upload(c *call) (answer, error) {
	path := c.PathValue("path")
	if problem := audience.CheckPath(path); problem != "" {
		return answer{}, audience.InvalidField("path", "%s", problem)
	}
	obj, err := s.Service.Upload(c.Context(), c.actor, path, uploadBody{c.Body})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.Upload{Path: obj.Path, Size: obj.Size, Version: obj.Version}}, nil
}

// uploadBody is a body whose end before its time is the client's doing.
type uploadBody struct{ io.Reader }

func (b uploadBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = audience.Errorf(audience.Invalid, "the upload broke off")
	}
	return n, err
}
