package api

import (
	"context"
	"io"
	"net/http"
	"strings"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/members"
	"roster/internal/web"
)

// Members lists and finds members.
type Members interface {
	Members(ctx context.Context, a audience.Actor, id audience.ID, q control.MemberQuery) (*members.List, error)
	Member(ctx context.Context, a audience.Actor, id audience.ID, who control.IdentityRef) (control.Member, error)
}

// Media types of a member list.
const (
	typeNDJSON = "application/x-ndjson"
	typeCSV    = "text/csv; charset=utf-8"
)

// maxIdentity is the longest identity in a path, in bytes.
const maxIdentity = 4 << 10

// memberPages are the pages of the members of an audience.
var memberPages = pages{"cursor", []string{"asOf", "fields", "filter"}}

// members answers the members of an audience, one per line.
func (s *server) members(c *call) (answer, error) {
	id, err := c.audienceID()
	if err != nil {
		return answer{}, err
	}
	q := c.query()
	want := control.MemberQuery{}
	var from members.Position
	if memberPages.read(q, &from) {
		want.From = &from
	}
	want.AsOf = audience.RunID(q.Get("asOf"))
	if q.Has("limit") {
		want.Limit = q.limit(0, control.MaxMembers)
	}
	if q.Get("fields") != "" {
		want.Fields = strings.Split(q.Get("fields"), ",")
	}
	want.Filters = q.memberFilters()
	form := listForm{csv: q.format(c, "ndjson", "csv") == "csv"}
	form.spreadsheet = q.spreadsheet(form.csv)
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	list, err := s.Service.Members(c.Context(), c.actor, id, want)
	if err != nil {
		return answer{}, err
	}
	st := &web.Stream{ContentType: typeNDJSON, Write: func(w io.Writer) error { return writeMembers(c.Context(), w, list, form) }}
	if form.csv {
		st.ContentType = typeCSV
	}
	if list.Next != nil {
		st.Header = map[string]string{"x-next-cursor": memberPages.token(q, list.Next)}
	}
	return answer{status: http.StatusOK, body: st}, nil
}

// memberFilters reads the filters of a member list. Its errors omit the values, which may be personal data.
func (q *query) memberFilters() (list []members.Filter) {
	for i, text := range q.filters("filter") {
		name, comparator, value, ok := cutFilter(text, audience.Comparators)
		f := members.Filter{Field: name, Comparator: comparator}
		f.Value, f.Quoted = unquoted(strings.TrimSpace(value))
		switch {
		case !ok:
			q.problems.Add("filter", "filter %d must be a field, one of == != >= <= > < =contains !=contains, and a value, such as tier==gold", i+1)
		case f.Value == "" && !f.Quoted:
			q.problems.Add("filter", `the filter on %.64q has no value; "" is the empty text, and null stands for no value`, name)
		}
		list = append(list, f)
	}
	return list
}

// flushBytes is the amount of an answer that is collected before it is sent.
const flushBytes = 64 << 10

// writeMembers writes a list of members.
func writeMembers(ctx context.Context, w io.Writer, list *members.List, form listForm) error {
	e := newMemberEncoder(list.Fields, form)
	err := list.Each(ctx, func(b *members.Batch) error {
		e.begin(b.Columns)
		for _, row := range b.Rows {
			if err := e.row(ctx, b, row); err != nil {
				return err
			}
			if len(e.buf) >= flushBytes {
				if _, err := w.Write(e.buf); err != nil {
					return err
				}
				e.buf = e.buf[:0]
			}
		}
		return nil
	})
	if err != nil || len(e.buf) == 0 {
		return err
	}
	_, err = w.Write(e.buf)
	return err
}

// member answers the membership of one identity.
func (s *server) member(c *call) (answer, error) {
	id, err := c.audienceID()
	if err != nil {
		return answer{}, err
	}
	who := control.IdentityRef{ID: c.PathValue("identity"), Namespace: c.PathValue("namespace")}
	if len(who.ID) > maxIdentity {
		return answer{}, audience.InvalidField("identity", "is longer than %d bytes", maxIdentity)
	}
	m, err := s.Service.Member(c.Context(), c.actor, id, who)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: memberBody(&m)}, nil
}

func memberBody(m *control.Member) client.Member {
	body := client.Member{
		AudienceID: string(m.Audience), Identity: client.MemberIdentity{ID: m.Identity.ID, Namespace: m.Identity.Namespace}, Status: m.Status,
		Since: m.Since.Unix(), LastQualificationTime: m.LastQualification.Unix(), ValidUntil: m.ValidUntil.Unix(),
	}
	if o := m.Origin; o != nil {
		body.Line = o.Line
		if o.Run != "" {
			body.Run = &client.MemberRun{RunID: string(o.Run), CreatedAt: o.RunCreatedAt.Unix()}
		}
		if o.File.Path != "" {
			body.File = &client.MemberFile{Path: o.File.Path, Version: o.File.Version}
		}
	}
	return body
}
