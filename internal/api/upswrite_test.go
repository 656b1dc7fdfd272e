package api

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

const newUPSAudience = `{"name": "Spring", "type": "ExternalSegment", "audienceId": "spring", "lifecycleState": "draft", "originName": "CUSTOM_UPLOAD",
	"fields": [{"name": "mail", "type": "string", "identityNs": "email"}],
	"sourceSpec": {"path": "in.csv", "type": "file", "sourceType": "Cloud Storage", "cloudType": "DLZ"}}`

func TestCreateUPSAudience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := ok[client.UPSAudience](t, w.do("POST", audiences, newUPSAudience), http.StatusOK)
	if got.ID != audienceID || got.Etag == "" {
		t.Errorf("%+v", got)
	}
	var d *control.Draft
	for _, c := range w.service.calls {
		if submitted, is := c.(control.Draft); is {
			d = &submitted
		}
	}
	if d == nil || d.CustomID != "spring" || d.State != audience.StateDraft || d.Name != "Spring" {
		t.Errorf("submitted %+v", d)
	}
	w.service.task.Status, w.service.task.Error = audience.Failed, audience.Errorf(audience.Impossible, "the folder is gone")
	refused(t, w.do("POST", audiences, newUPSAudience), 422, "100960-422", "the folder is gone")
	for body, mentions := range map[string]string{
		strings.Replace(newUPSAudience, "ExternalSegment", "SegmentDefinition", 1):                     "type",
		strings.Replace(newUPSAudience, `"draft"`, `"inactive"`, 1):                                    "lifecycleState",
		strings.Replace(newUPSAudience, `"type": "E`, `"customAudienceId": "other", "type": "E`, 1):    "audienceId",
		strings.Replace(newUPSAudience, `"type": "E`, `"profileInstanceId": "ups", "type": "E`, 1):     "profileInstanceId",
		`{"name": "Spring", "namespace": "aam", "type": "ExternalSegment", "originName": "REAL_TIME"}`: "originName",
	} {
		refused(t, w.do("POST", audiences, body), 400, "100910-400", mentions)
	}
}

func TestPutUPSAudience(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := audiences + "/" + audienceID
	whole := w.do("GET", path, "").Body.String()

	// A body that GET returned changes nothing, and neither do newer numbers.
	for _, body := range []string{whole, strings.Replace(whole, `"members":3`, `"members":2`, 1), `{}`} {
		ok[client.UPSAudience](t, w.do("PUT", path, body), 200)
	}
	renamed := strings.NewReplacer(`"name":"Sample external audience"`, `"name":"Summer"`, `"tags":[]`, `"tags":["a"]`, `"ttlInDays":40`, `"ttlInDays":"7"`).Replace(whole)
	ok[client.UPSAudience](t, w.do("PUT", path, renamed, "If-Match", w.service.audience.Etag()), 200)
	want := control.Patch{Name: new("Summer"), Description: &w.service.audience.Description, Labels: &[]string{"core/C1"}, Tags: &[]string{"a"}, TTLDays: new(7),
		State: new(audience.StatePublished), IfMatch: []string{w.service.audience.Etag()}}
	if got := last[control.Patch](t, w.service); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	refused(t, w.do("PUT", path, renamed, "If-Match", `"old"`), 412, "100910-412", "changed")
	for body, mentions := range map[string]string{
		strings.Replace(whole, `"namespace":"C`, `"namespace":"D`, 1):              "namespace",
		strings.Replace(whole, `"imsOrgId":"`, `"imsOrgId":"x`, 1):                 "imsOrgId",
		strings.Replace(whole, `"isSystem":false`, `"isSystem":true`, 1):           "isSystem",
		strings.Replace(whole, `"isSystem":false`, `"expression":"true"`, 1):       "expression",
		strings.Replace(whole, `"ttlInDays":40`, `"ttlInDays":"soon"`, 1):          "ttlInDays",
		strings.Replace(whole, `"sandboxName":"prod"`, `"sandboxName":"dev"`, 1):   "sandbox",
		strings.Replace(whole, `"createdBy":"`, `"createdBy":"somebody else, `, 1): "createdBy",
		strings.Replace(whole, `"type":"ExternalSegment"`, `"type":"Other"`, 1):    "type",
		`[]`: "an object",
		``:   "missing",
	} {
		refused(t, w.do("PUT", path, body), 400, "100910-400", mentions)
	}
	refused(t, w.do("PUT", audiences+"/"+absentID, whole), 404, "100940-404", absentID)
}

// refused requires an error of the contract that contains a text.
func refused(t *testing.T, rec *httptest.ResponseRecorder, status int, code, mentions string) {
	t.Helper()
	if text := rec.Body.String(); rec.Code != status || !strings.Contains(text, `"errorCode":"`+code+`"`) || !strings.Contains(text, mentions) {
		t.Errorf("status %d, want %d with %s and a mention of %q: %s", rec.Code, status, code, mentions, text)
	}
}
