package api

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/auth"
	"roster/internal/control"
)

func TestErase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	started := ok[client.ErasureStarted](t, w.do("DELETE", "/data"+entities+"?schema.name=_xdm.context.profile&entityId=Ada@example.com&entityIdNS=email", ""), 202)
	if started != (client.ErasureStarted{JobID: taskID, Status: "PROCESSING"}) {
		t.Errorf("%+v", started)
	}
	if got := last[control.IdentityRef](t, w.service); got != (control.IdentityRef{ID: "Ada@example.com", Namespace: "email"}) {
		t.Errorf("%+v", got)
	}
	e := ok[client.Erasure](t, w.do("GET", erasures+"/"+taskID, ""), 200)
	if e.ID != taskID || e.Status != "PROCESSING" || e.XID != "x1" || e.EndedAt != testNow.Unix() {
		t.Errorf("%+v", e)
	}
	list := ok[client.ErasureList](t, w.do("GET", erasures+"?limit=2", ""), 200)
	if len(list.Erasures) != 2 || list.Page.Next == "" {
		t.Errorf("%+v", list)
	}
	ok[client.ErasureList](t, w.do("GET", erasures+"?start="+list.Page.Next, ""), 200)
	if got := last[*audience.ErasurePlace](t, w.service); got == nil || !got.At.Equal(testNow.Truncate(time.Microsecond)) || got.ID != otherID {
		t.Errorf("the second page begins at %+v", got)
	}
}

func TestCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	signed := ok[client.SignedCertificate](t, w.do("GET", erasures+"/"+otherID+"/certificate", ""), 200)
	keys := w.do("GET", "/.well-known/jwks.json", "").Body.Bytes()
	payload, err := auth.VerifyCertificate(signed.Signature, keys)
	if err != nil || string(payload) != string(signed.Certificate) {
		t.Fatalf("%v: %s is not %s", err, payload, signed.Certificate)
	}
	var c client.ErasureCertificate
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	want := client.ErasureCertificate{Version: 1, Issuer: "roster", Organization: testScope.Org, Sandbox: testScope.Sandbox, ErasureID: otherID, Namespace: "Email", XID: "x1",
		Covers: covered, Audiences: []client.ErasedAudience{{AudienceID: audienceID, RunID: runID, Members: 1, Versions: 2, Files: 3, Rejects: 4}},
		CreatedAt: testNow.Unix(), CreatedBy: clientID, EndedAt: testNow.Unix()}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("%+v", c)
	}
	if _, err := auth.VerifyReceipt(signed.Signature, keys); err == nil {
		t.Error("a certificate passes for a receipt")
	}
}
