package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/wire"
)

// Audiences submits, reads, changes and deletes audiences.
type Audiences interface {
	Submit(ctx context.Context, a audience.Actor, d control.Draft) (audience.Task, error)
	Task(ctx context.Context, a audience.Actor, id audience.TaskID) (audience.Task, error)
	Audience(ctx context.Context, a audience.Actor, id audience.ID) (audience.Audience, error)
	Audiences(ctx context.Context, a audience.Actor, q audience.AudienceQuery) ([]audience.Audience, int, error)
	AudiencesByID(ctx context.Context, a audience.Actor, ids []audience.ID) (map[audience.ID]audience.Audience, error)
	UpdateAudience(ctx context.Context, a audience.Actor, id audience.ID, p control.Patch) (audience.Audience, error)
	DeleteAudience(ctx context.Context, a audience.Actor, id audience.ID, ifMatch ...string) error
}

// submit creates an audience in the seed generation's form.
func (s *server) submit(c *call) (answer, error) {
	t, err := s.newTask(c)
	if err != nil {
		return answer{}, err
	}
	body := audienceBody(&t.Draft)
	body.TaskID = string(t.ID)
	return answer{http.StatusOK, body}, nil
}

// create creates an audience in the later generation's form.
func (s *server) create(c *call) (answer, error) {
	t, err := s.newTask(c)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusAccepted, client.NewOperation{OperationID: string(t.ID), OperationDetails: audienceBody(&t.Draft)}}, nil
}

func (s *server) newTask(c *call) (audience.Task, error) {
	var in client.NewAudience
	if err := c.typedJSON(&in); err != nil {
		return audience.Task{}, err
	}
	d, err := draft(&in)
	if err != nil {
		return audience.Task{}, formed(err, &in.SourceSpec)
	}
	t, err := s.Service.Submit(c.Context(), c.actor, d)
	return t, formed(err, &in.SourceSpec)
}

// draft makes the audience that a client describes, with defaults for omitted properties that the domain cannot
// distinguish from values.
func draft(in *client.NewAudience) (control.Draft, error) {
	var problems audience.Problems
	checkForm(&problems, in.SourceSpec)
	ttl := audience.DefaultTTLDays
	if in.TTLInDays != nil {
		ttl = *in.TTLInDays
	}
	if in.Encryption != nil {
		problems.Add("encryption", "belongs into sourceSpec, or into its params, next to the path")
	}
	if err := problems.Err(); err != nil {
		return control.Draft{}, err
	}
	d := control.Draft{
		CustomID: in.CustomAudienceID, Name: in.Name, Description: in.Description,
		Source:  sourceOf(in.SourceSpec),
		TTLDays: ttl, Labels: in.Labels, Tags: in.Tags, AudienceType: in.AudienceType, OriginName: cmp.Or(in.OriginName, audience.OriginUpload),
		Namespace: in.Namespace, ProfileIngestion: in.ProfileIngestion == nil || *in.ProfileIngestion, KeepRejectedRows: in.KeepRejectedRows,
		NoPayload: in.Payload != nil && !*in.Payload, ExpressActivation: in.ExpressActivation != nil && *in.ExpressActivation,
	}
	if in.Guards != nil {
		d.Guards = audience.Guards(*in.Guards)
	}
	if in.Schedule != nil {
		d.Schedule = scheduleOf(in.Schedule)
	}
	for _, f := range in.Fields {
		d.Fields = append(d.Fields, wire.FieldOf(f))
	}
	return d, nil
}

// checkEncryption refuses different keys in the two spellings of one property.
func checkEncryption(p *audience.Problems, e *client.Encryption) {
	if e != nil && e.SignVerificationKeyID != "" && e.SignVerificationID != "" && e.SignVerificationKeyID != e.SignVerificationID {
		p.Add("sourceSpec.encryption.signVerificationId", "differs from signVerificationKeyId, which means the same; omit one of them")
	}
}

func encryptionOf(e *client.Encryption) *audience.Encryption {
	if e == nil {
		return nil
	}
	return &audience.Encryption{PublicKeyID: audience.KeyID(e.PublicKeyID), SignVerificationKeyID: audience.KeyID(cmp.Or(e.SignVerificationKeyID, e.SignVerificationID))}
}

func (s *server) task(c *call) (answer, error) {
	id, err := c.id("taskId", "task")
	if err != nil {
		return answer{}, err
	}
	t, err := s.Service.Task(c.Context(), c.actor, audience.TaskID(id))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.Task{TaskID: string(t.ID), AudienceID: createdID(&t), Status: string(t.Status), Error: taskFailure(&t), Warnings: warnings(&t)}}, nil
}

func (s *server) operation(c *call) (answer, error) {
	id, err := c.id("operationId", "operation")
	if err != nil {
		return answer{}, err
	}
	t, err := s.Service.Task(c.Context(), c.actor, audience.TaskID(id))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, client.Operation{
		OperationID: string(t.ID), Status: string(t.Status), OperationDetails: audienceBody(&t.Draft),
		AudienceName: t.Draft.Name, AudienceID: createdID(&t),
		CreatedBy: t.Draft.CreatedBy, CreatedAt: epoch(t.CreatedAt), UpdatedBy: t.Draft.UpdatedBy, UpdatedAt: epoch(t.UpdatedAt),
		Error: taskFailure(&t), Warnings: warnings(&t),
	}}, nil
}

// taskFailure is the reason why a task failed, with the paths of the source's properties as the client wrote them.
func taskFailure(t *audience.Task) *client.Failure {
	if t.Error == nil || !t.Draft.Source.OtherForm {
		return failure(t.Error)
	}
	return failure(t.Error.WithPaths(inParams))
}

func warnings(t *audience.Task) (body []client.Warning) {
	for _, w := range t.Warnings {
		w.Detail = noteBody(t.Draft.Source, w.Detail)
		body = append(body, client.Warning(w))
	}
	return body
}

// createdID is the id of the audience that a task created, "" if it has created none.
func createdID(t *audience.Task) string {
	if t.Status != audience.Success {
		return ""
	}
	return string(t.AudienceID)
}

func (s *server) audience(c *call) (answer, error) {
	id, err := c.audienceID()
	if err != nil {
		return answer{}, err
	}
	a, err := s.Service.Audience(c.Context(), c.actor, id)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, audienceWithMeta(&a)}, nil
}

// Pages of audiences.
const (
	defaultAudiences = 20
	maxAudiences     = 100
)

func (s *server) listAudiences(c *call) (answer, error) {
	q := c.query()
	limit, offset := q.limit(defaultAudiences, maxAudiences), q.start()
	want := audience.AudienceQuery{Limit: limit, Offset: offset, NameContains: q.Get("name")}
	if status := q.Get("status"); status != "" {
		q.problems.State("status", audience.State(status))
		want.Filters = append(want.Filters, audience.AudienceFilter{Property: "lifecycleState", Value: status})
	}
	if of := q.Get("audienceType"); of != "" {
		want.Filters = append(want.Filters, audience.AudienceFilter{Property: "audienceType", Value: of})
	}
	for _, by := range []struct{ parameter, property string }{{"label", "labels"}, {"tag", "tags"}} {
		for _, value := range q.Values[by.parameter] {
			want.Filters = append(want.Filters, audience.AudienceFilter{Property: by.property, Value: value})
		}
	}
	if err := q.problems.Err(); err != nil {
		return answer{}, err
	}
	list, total, err := s.Service.Audiences(c.Context(), c.actor, want)
	if err != nil {
		return answer{}, err
	}
	body := client.AudienceList{Audiences: []client.Audience{}, Page: pageOf(limit, offset, len(list), total)}
	for i := range list {
		body.Audiences = append(body.Audiences, audienceWithMeta(&list[i]))
	}
	return answer{http.StatusOK, body}, nil
}

func (s *server) updateAudience(c *call) (answer, error) {
	id, err := c.audienceID()
	if err != nil {
		return answer{}, err
	}
	// curl sends a form content type by default, and the documented request sets none, so any content type is accepted.
	var in client.AudiencePatch
	if err := c.json(&in); err != nil {
		return answer{}, err
	}
	p, err := patch(&in)
	if err != nil {
		return answer{}, formed(err, in.SourceSpec)
	}
	a, err := s.Service.UpdateAudience(c.Context(), c.actor, id, p)
	if err != nil {
		return answer{}, formed(err, in.SourceSpec)
	}
	return answer{http.StatusOK, namedAudience(&a)}, nil
}

func patch(in *client.AudiencePatch) (control.Patch, error) {
	p := control.Patch{Description: in.Description, Labels: in.Labels, TTLDays: in.TTLInDays, KeepRejectedRows: in.KeepRejectedRows, Payload: in.Payload,
		ExpressActivation: in.ExpressActivation}
	if in.Guards != nil {
		p.Guards = new(audience.Guards(*in.Guards))
	}
	if in.Schedule != nil {
		p.Schedule = new(scheduleOf(in.Schedule))
	}
	var problems audience.Problems
	if in.SourceSpec != nil {
		p.Encryption = patchedEncryption(&problems, in.SourceSpec)
	}
	for i, f := range in.Fields {
		if f.Name == "" {
			problems.Add(fmt.Sprintf("fields[%d].name", i), "is required")
		}
		if f == (client.FieldPatch{Name: f.Name}) {
			problems.Add(fmt.Sprintf("fields[%d].labels", i), "is required; an empty array removes all labels")
		}
		p.Fields = append(p.Fields, control.FieldPatch{Name: f.Name, Labels: f.Labels, Type: f.Type, IdentityNs: f.IdentityNs, Role: f.Role,
			ConsentValues: f.ConsentValues, Proposed: f.Proposed})
	}
	return p, problems.Err()
}

// patchedEncryption reads the only part of a sourceSpec that can change.
func patchedEncryption(p *audience.Problems, in *client.SourceSpec) *audience.Encryption {
	where := in.Where()
	e := encryptionOf(where.Encryption)
	if where.Encryption = nil; where != (client.SourceParams{}) || in.Params != nil && in.SourceParams != (client.SourceParams{}) {
		p.Add("sourceSpec", "cannot change except its encryption; omit the rest")
	}
	checkEncryption(p, in.Where().Encryption)
	if e == nil || e.PublicKeyID == "" {
		p.Add("sourceSpec.encryption.publicKeyId", "is required")
	}
	return e
}

func (s *server) deleteAudience(c *call) (answer, error) {
	id, err := c.audienceID()
	if err != nil {
		return answer{}, err
	}
	if err := s.Service.DeleteAudience(c.Context(), c.actor, id); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, nil
}

// audienceBody is an audience as submitted, without its id.
func audienceBody(a *audience.Audience) client.Audience {
	b := client.Audience{
		Name: a.Name, CustomAudienceID: a.CustomID, Description: a.Description, Fields: fieldsBody(a.Fields), SourceSpec: sourceSpec(a.Source),
		TTLInDays: a.TTLDays, Labels: a.Labels, AudienceType: a.AudienceType, OriginName: a.OriginName,
		Namespace: a.Namespace, Tags: a.Tags,
		CreatedBy: a.CreatedBy, CreatedAt: epoch(a.CreatedAt), UpdatedBy: a.UpdatedBy, UpdatedAt: epoch(a.UpdatedAt),
	}
	if !a.ProfileIngestion {
		b.ProfileIngestion = new(false)
	}
	if a.NoPayload {
		b.Payload = new(false)
	}
	if a.ExpressActivation {
		b.ExpressActivation = new(true)
	}
	if a.Guards != (audience.Guards{}) {
		b.Guards = new(client.Guards(a.Guards))
	}
	if a.Schedule != (audience.Schedule{}) {
		b.Schedule, b.NextRunAt, b.ScheduleNote = scheduleBody(a.Schedule), epoch(a.NextRunAt), noteBody(a.Source, a.ScheduleNote)
	}
	b.KeepRejectedRows = a.KeepRejectedRows
	return b
}

func scheduleBody(s audience.Schedule) *client.Schedule {
	b := &client.Schedule{Cron: s.Cron, TimeZone: s.TimeZone, OnNewFiles: s.OnNewFiles, Paused: s.Paused}
	if s.Full {
		b.DifferentialIngestion = new(false)
	}
	return b
}

func scheduleOf(s *client.Schedule) audience.Schedule {
	return audience.Schedule{Cron: s.Cron, TimeZone: s.TimeZone, OnNewFiles: s.OnNewFiles, Paused: s.Paused,
		Full: s.DifferentialIngestion != nil && !*s.DifferentialIngestion}
}

func fieldsBody(fields []audience.Field) []client.Field {
	list := []client.Field{}
	for _, f := range fields {
		list = append(list, wire.Field(f))
	}
	return list
}

// sourceSpec returns a source in the form that the client used.
func sourceSpec(s audience.SourceSpec) client.SourceSpec {
	p := client.SourceParams{Path: s.Path, Type: string(s.Type), SourceType: s.SourceType, CloudType: s.CloudType, BaseConnectionID: string(s.BaseConnectionID),
		Format: wire.Format(s.Format)}
	if e := s.Encryption; e != nil {
		p.Encryption = &client.Encryption{PublicKeyID: string(e.PublicKeyID), SignVerificationKeyID: string(e.SignVerificationKeyID)}
	}
	if s.OtherForm {
		return client.SourceSpec{Params: &p}
	}
	return client.SourceSpec{SourceParams: p}
}

// namedAudience is an audience with its id, and with its name under both properties.
func namedAudience(a *audience.Audience) client.Audience {
	b := audienceBody(a)
	b.AudienceID, b.AudienceName = string(a.ID), a.Name
	return b
}

func audienceWithMeta(a *audience.Audience) client.Audience {
	b := namedAudience(a)
	b.AudienceMeta, b.ExpressActivation = audienceMeta(a), &a.ExpressActivation
	return b
}

func audienceMeta(a *audience.Audience) *client.AudienceMeta {
	return &client.AudienceMeta{Members: a.Members, LastRunID: string(a.LastRun), ExpiresAt: epoch(a.ExpiresAt())}
}

// millis returns a time in milliseconds, as in the flow service and the catalog; 0 for no time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// epoch returns a time in seconds; 0 for no time.
func epoch(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
