package importing

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"roster/client"
)

// someone is a person who remembers what was told, and answers as the test says.
type someone struct {
	told        []string
	shown       []Columns
	wider, full bool
	asked       []string
	steps       []string
}

func (*someone) Option(name, value string) string {
	if value == "" {
		return "<" + name + ">"
	}
	return "<" + name + " " + value + ">"
}
func (p *someone) Tell(text string) { p.told = append(p.told, text) }
func (p *someone) Show(c Columns)   { p.shown = append(p.shown, c) }
func (p *someone) AskWider(_ context.Context, sample int, list []Widened) (bool, error) {
	p.asked = append(p.asked, fmt.Sprintf("wider: %d rows, %+v", sample, list))
	return p.wider, nil
}
func (p *someone) AskFull(_ context.Context, members int64) (bool, error) {
	p.asked = append(p.asked, fmt.Sprintf("full: %d members", members))
	return p.full, nil
}
func (p *someone) Progress(step string, _, _, _ int64) { p.steps = append(p.steps, step) }

// server is a server in memory. It runs nothing: each run ends as the test says.
type server struct {
	audiences   []client.Audience
	connections []client.Connection
	namespaces  []client.Namespace
	runs        map[string][]client.Run // of an audience, the newest first
	ends        client.Run              // what a run ends as
	requests    []client.RunRequest
	uploads     []string // paths
	content     string   // of the last upload
	sources     []client.SourceParams
}

var _ API = (*server)(nil)

func newServer() *server {
	return &server{namespaces: []client.Namespace{{Code: "Email"}, {Code: "CRMID"}}, runs: map[string][]client.Run{}, ends: client.Run{Status: client.Success}}
}

func (s *server) at(id string) *client.Audience {
	for i := range s.audiences {
		if s.audiences[i].AudienceID == id {
			return &s.audiences[i]
		}
	}
	panic("there is no audience " + id)
}

func (s *server) AudienceNamed(_ context.Context, name string) (found client.Audience, alike []string, ok bool, err error) {
	for _, a := range s.audiences {
		switch {
		case a.Name == name:
			found, ok = a, true
		case strings.EqualFold(a.Name, name):
			alike = append(alike, a.Name)
		}
	}
	return found, alike, ok, nil
}
func (s *server) Audience(_ context.Context, id string) (client.Audience, error) {
	return *s.at(id), nil
}
func (s *server) SubmitAudience(_ context.Context, n client.NewAudience) (client.Audience, error) {
	a := client.Audience{AudienceID: fmt.Sprintf("a%d", len(s.audiences)), Name: n.Name, Fields: n.Fields, SourceSpec: n.SourceSpec, TTLInDays: 30,
		ExpressActivation: n.ExpressActivation, Guards: n.Guards, AudienceMeta: &client.AudienceMeta{}}
	s.audiences = append(s.audiences, a)
	return client.Audience{TaskID: a.AudienceID}, nil
}
func (s *server) WaitTask(_ context.Context, id string) (client.Task, error) {
	return client.Task{Status: client.Success, AudienceID: id}, nil
}
func (s *server) UpdateAudience(_ context.Context, id string, p client.AudiencePatch) (client.Audience, error) {
	a := s.at(id)
	if p.TTLInDays != nil {
		a.TTLInDays = *p.TTLInDays
	}
	if p.Guards != nil {
		a.Guards = p.Guards
	}
	return *a, nil
}
func (s *server) ChangeSource(_ context.Context, id string, spec client.SourceSpec) (client.Audience, error) {
	s.at(id).SourceSpec = spec
	s.sources = append(s.sources, spec.Where())
	return *s.at(id), nil
}
func (s *server) DeleteAudience(_ context.Context, id string) error {
	s.at(id).Name = "deleted"
	return nil
}
func (s *server) StartRun(_ context.Context, id string, r client.RunRequest) (client.StartedRun, error) {
	s.requests = append(s.requests, r)
	run := s.ends
	run.AudienceID, run.RunID = id, fmt.Sprintf("r%d", len(s.requests))
	s.runs[id] = append([]client.Run{run}, s.runs[id]...)
	return client.StartedRun{RunID: run.RunID}, nil
}
func (s *server) Run(_ context.Context, id, run string) (client.Run, error) {
	for _, r := range s.runs[id] {
		if r.RunID == run {
			return r, nil
		}
	}
	panic("there is no run " + run)
}
func (s *server) WaitRun(ctx context.Context, id, run string, progress func(client.Run)) (client.Run, error) {
	r, err := s.Run(ctx, id, run)
	progress(client.Run{Status: client.Processing, Progress: &client.RunProgress{Step: "read"}})
	r.Status = s.ends.Status
	return r, err
}
func (s *server) Runs(_ context.Context, id string, _ url.Values) (client.RunList, error) {
	return client.RunList{Runs: s.runs[id]}, nil
}
func (s *server) Connection(_ context.Context, id string) (client.Connection, error) {
	for _, c := range s.connections {
		if c.ID == id {
			return c, nil
		}
	}
	panic("there is no connection " + id)
}
func (s *server) ConnectionNamed(_ context.Context, name string) (client.Connection, bool, error) {
	for _, c := range s.connections {
		if c.Name == name {
			return c, true, nil
		}
	}
	return client.Connection{}, false, nil
}
func (s *server) CreateConnection(_ context.Context, n client.NewConnection) (client.ConnectionRef, error) {
	for _, c := range s.connections {
		if c.Name == n.Name {
			return client.ConnectionRef{}, &client.APIError{Code: client.CodeDuplicate}
		}
	}
	id := fmt.Sprintf("c%d", len(s.connections))
	s.connections = append(s.connections, client.Connection{ID: id, Name: n.Name, Description: n.Description, Auth: *n.Auth})
	return client.ConnectionRef{ID: id}, nil
}
func (s *server) Namespaces(context.Context) ([]client.Namespace, error) { return s.namespaces, nil }
func (s *server) CreateNamespace(_ context.Context, n client.NewNamespace) (client.Namespace, error) {
	s.namespaces = append(s.namespaces, client.Namespace{Code: n.Code})
	return s.namespaces[len(s.namespaces)-1], nil
}
func (s *server) UploadFile(_ context.Context, path string, content io.ReaderAt, size int64, progress func(int64)) (client.Upload, error) {
	text, err := io.ReadAll(io.NewSectionReader(content, 0, size))
	s.uploads, s.content = append(s.uploads, path), string(text)
	progress(size)
	return client.Upload{Path: path, Size: size}, err
}

var modified = time.Unix(1749624273, 0)

// file is a file of the text.
func file(text string) File {
	return File{Name: "list.csv", Path: "/folder/list.csv", Size: int64(len(text)), Modified: modified, Content: strings.NewReader(text)}
}

// byMail is the request of an audience of people by their mail addresses.
func byMail() Request { return Request{Name: "people", Identities: []Identity{{"mail", "email"}}} }

// people is a list of n people, whose last row is the given one.
func people(n int, last string) string {
	var b strings.Builder
	b.WriteString("tier,mail,points\n")
	for i := range n {
		fmt.Fprintf(&b, "gold,p%d@example.com,%d\n", i, i)
	}
	return b.String() + last + "\n"
}

// existing puts an audience of byMail and people with members onto a server.
func (s *server) existing(t *testing.T, inPlace bool) *client.Audience {
	t.Helper()
	if err := New(t.Context(), byMail(), file(people(2, "silver,q@example.com,7")), &someone{}).Into(t.Context(), s, inPlace); err != nil {
		t.Fatal(err)
	}
	a := &s.audiences[len(s.audiences)-1]
	a.AudienceMeta = &client.AudienceMeta{Members: 3, LastRunID: "r1"}
	s.runs[a.AudienceID][0].Members = &client.Members{After: 3}
	s.runs[a.AudienceID][0].Files = []client.RunFile{{Path: "list.csv", Status: "read", Size: int64(len(people(2, "silver,q@example.com,7"))), ModifiedAt: modified.Unix()}}
	s.requests, s.uploads = nil, nil
	return a
}

func fieldTexts(fields []client.Field) (list []string) {
	for _, f := range fields {
		list = append(list, strings.TrimRight(fmt.Sprintf("%s %s %s%s", f.Name, f.Type, f.IdentityNs, f.Role), " "))
	}
	return list
}
