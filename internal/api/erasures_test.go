package api

import (
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
	if got := last[*audience.Position](t, w.service); got == nil || !got.At.Equal(testNow.Truncate(time.Microsecond)) || got.ID != otherID {
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
	const want = `{"version":1,"issuer":"roster","organization":"0123456789ABCDEF@RosterOrg","sandbox":"prod","erasureId":"11111111-2222-4333-8444-555566667777",` +
		`"namespace":"Email","xid":"x1","covers":["the profile store","the current members of every audience","the earlier versions and the data files of every dataset",` +
		`"the rejected rows of every run"],"audiences":[{"audienceId":"60ccea95-1435-4180-97a5-58af4aa285ab","runId":"fb342311-725d-4b48-ab7d-c6105fbc2b8b",` +
		`"members":1,"versions":2,"files":3,"rejects":4,"removedVersions":[{"runId":"fb342311-725d-4b48-ab7d-c6105fbc2b8b","snapshotId":"1152921504606846976","committedAt":1749624273}]}],"createdAt":1749624273,"createdBy":"8f3b8f0e-5b9c-4a57-9b53-6f6e2f2a7e11","endedAt":1749624273}`
	if string(payload) != want {
		t.Errorf("the certificate is\n%s\nwant\n%s", payload, want)
	}
	if _, err := auth.VerifyReceipt(signed.Signature, keys); err == nil {
		t.Error("a certificate passes for a receipt")
	}
}
