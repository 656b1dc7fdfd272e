package api

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	contract "roster/api"
	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/survey"
)

const validate = external + "/validate"

// TestValidate sends the example request of openapi.yaml and must get the example response.
func TestValidate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.validation = control.Validation{
		Files: []survey.File{{
			PlannedFile: audience.PlannedFile{Path: "lists/loyal.csv", Size: 56, ModifiedAt: time.Unix(1749324000, 0), Status: audience.FileRead},
			Format:      &audience.Format{Type: audience.CSV, Delimiter: ",", Quote: `"`, Escape: audience.None, Encoding: "utf-8", Compression: audience.None},
		}},
		Fields: []audience.Field{{Name: "mail", Type: audience.String, IdentityNs: "Email"}, {Name: "tier", Type: audience.String}},
		Rows:   2,
	}
	doc, err := openapi3.NewLoader().LoadFromData(contract.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	described := doc.Paths.Find(validate).Post
	body, err := json.Marshal(described.RequestBody.Value.Content.Get("application/json").Example)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{validate, "/data" + validate + "/"} {
		got := ok[any](t, w.do("POST", path, string(body)), 200)
		if want := described.Responses.Status(200).Value.Content.Get("application/json").Example; !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %v\nwant %v", path, got, want)
		}
	}
	want := validateArgs{rows: 500}
	want.draft.Source = audience.SourceSpec{Path: "lists/loyal.csv", Type: audience.PathFile, SourceType: "Cloud Storage", CloudType: audience.CloudLanding}
	got := last[validateArgs](t, w.service)
	if got.rows != want.rows || got.preview || !reflect.DeepEqual(got.draft.Source, want.draft.Source) || len(got.draft.Fields) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestValidateAnswer checks a response with every property.
func TestValidateAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	value := "a@x.org"
	w.service.validation = control.Validation{
		Files: []survey.File{
			{PlannedFile: audience.PlannedFile{Path: "in/1.jsonl", Size: 9, ModifiedAt: testNow, Status: audience.FileRead}, Format: &audience.Format{Type: audience.JSON},
				Nested: []string{"tags"}, Missing: []string{"city"}, Extra: []string{"note"}},
			{PlannedFile: audience.PlannedFile{Path: "in/2.csv", Size: 9, ModifiedAt: testNow, Status: audience.FileUnsettled, Reason: "new"}},
		},
		More: true, Rows: 5,
		Problems: []audience.Problem{{Path: "fields[1].name", Message: "no column"}},
		Counts:   []survey.RejectCount{{Code: "TYPE", Column: "points", Rows: 2}, {Code: "JSON", Rows: 1}},
		Rejects:  []audience.RejectSample{{File: "in/1.jsonl", Line: 2, Column: "points", Code: "TYPE", Reason: "the value is not a number"}},
		Preview:  [][]*string{{&value, nil}},
	}
	v := ok[client.Validation](t, w.do("POST", validate, `{"sourceSpec": {"path": "in", "type": "folder", "cloudType": "DLZ"}, "preview": true,
		"fields": [{"name": "mail", "type": "string", "identityNs": "email"}]}`), 200)
	if v.RowsRead != 5 || v.RowsRejected != 3 || !v.MoreFiles || len(v.Files) != 2 || v.Files[1].Status != "unsettled" || v.Files[0].NestedColumns[0] != "tags" ||
		v.Problems[0].Path != "fields[1].name" || v.RejectCounts[0].Column != "points" || v.Rejects[0].Line != 2 || *v.Preview[0][0] != value || v.Preview[0][1] != nil {
		t.Errorf("%+v", v)
	}
	if got := last[validateArgs](t, w.service); got.rows != control.DefaultSampleRows || !got.preview || len(got.draft.Fields) != 1 {
		t.Errorf("%+v", got)
	}
}

// TestValidateRefused checks that refusals of the use case are returned.
func TestValidateRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
	}{
		{audience.InvalidField("sourceSpec.baseConnectionId", "does not exist"), 400},
		{audience.Errorf(audience.Forbidden, "a viewer may not"), 401},
		{audience.Errorf(audience.Impossible, "no file to read"), 422},
		{audience.Errorf(audience.BadGateway, "the source did not answer"), 502},
	} {
		w := newWorld(t)
		w.service.err = c.err
		rec := w.do("POST", validate, `{"sourceSpec": {"path": "in", "type": "folder", "cloudType": "DLZ"}}`)
		if rec.Code != c.status || !strings.Contains(rec.Body.String(), string(audience.CodeOf(c.err))) {
			t.Errorf("%v: %d %s", c.err, rec.Code, rec.Body)
		}
	}
}
