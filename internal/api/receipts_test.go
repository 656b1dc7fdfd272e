package api

import (
	"encoding/json"
	"strings"
	"testing"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/auth"
)

// TestReceipt signs what the run did. The receipt is always the same, and a modified one is refused.
func TestReceipt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rows := audience.Rows{Read: 3, Rejected: 1, Added: 2}
	w.service.run.Status = audience.Success
	w.service.run.EndedAt = testNow
	w.service.run.Result = audience.RunResult{Rows: rows, Members: audience.Members{After: 2}, SnapshotID: 1<<62 + 1, ContentSum: 1<<63 + 5,
		Files: []audience.FileResult{{PlannedFile: audience.PlannedFile{Path: `a<b>&"ü.csv`, Size: 10, ModifiedAt: testNow, Version: "v1", Status: audience.FileRead}, Rows: rows}}}
	path := external + "/" + audienceID + "/runs/" + runID + "/receipt"
	rec := w.do("GET", path, "")
	if again := w.do("GET", path, ""); again.Body.String() != rec.Body.String() {
		t.Errorf("the second receipt differs:\n%s\n%s", rec.Body, again.Body)
	}
	signed := ok[client.SignedReceipt](t, rec, 200)
	keys := w.do("GET", "/.well-known/jwks.json", "", "Authorization", "", "x-api-key", "").Body.Bytes()
	if strings.Contains(string(keys), `"d"`) {
		t.Fatal("the private key is served")
	}
	payload, err := auth.VerifyReceipt(signed.Signature, keys)
	if err != nil || string(payload) != string(signed.Receipt) {
		t.Fatalf("the signature has %s, %v; the receipt is %s", payload, err, signed.Receipt)
	}
	var r client.Receipt
	if err := json.Unmarshal(payload, &r); err != nil {
		t.Fatal(err)
	}
	if faults := r.Faults(); len(faults) > 0 {
		t.Errorf("faults %q", faults)
	}
	if r.Organization != org || r.Sandbox != "prod" || r.RunID != runID || r.Dataset.SnapshotID != "4611686018427387905" ||
		r.ContentSum.Value != "9223372036854775813" || r.Files[0].Path != `a<b>&"ü.csv` || r.Members.After != 2 {
		t.Errorf("the receipt is %+v", r)
	}
	const want = `{"version":1,"issuer":"roster","organization":"0123456789ABCDEF@RosterOrg","sandbox":"prod","audienceId":"60ccea95-1435-4180-97a5-58af4aa285ab",` +
		`"audienceName":"Sample external audience","runId":"fb342311-725d-4b48-ab7d-c6105fbc2b8b","seq":1,"differentialIngestion":true,"dataFilterStartTime":764245635,` +
		`"dataFilterEndTime":1749624273,"createdAt":1749624273,"createdBy":"8f3b8f0e-5b9c-4a57-9b53-6f6e2f2a7e11","endedAt":1749624273,` +
		`"rows":{"rowsRead":3,"rowsRejected":1,"duplicates":0,"added":2,"updated":0,"unchanged":0,"deleted":0,"deletedNotMember":0},` +
		`"members":{"before":0,"after":2,"removed":0,"expired":0},"files":[{"path":"a<b>&\"ü.csv","size":10,"modifiedAt":1749624273,"version":"v1","status":"read",` +
		`"rows":{"rowsRead":3,"rowsRejected":1,"duplicates":0,"added":2,"updated":0,"unchanged":0,"deleted":0,"deletedNotMember":0}}],` +
		`"dataset":{"location":"file:///lake/a","snapshotId":"4611686018427387905"},"contentSum":{"algorithm":"sum64(_roster_row)","value":"9223372036854775813"}}`
	if string(payload) != want {
		t.Errorf("the receipt is\n%s\nwant\n%s", payload, want)
	}

	// A receipt is not accepted as a token, nor a token as a receipt.
	if rec := w.do("GET", external, "", "Authorization", "Bearer "+signed.Signature); rec.Code != 400 {
		t.Errorf("a receipt as a token answers %d %s", rec.Code, rec.Body)
	}
	if _, err := auth.VerifyReceipt(w.token, keys); err == nil {
		t.Error("a token passes for a receipt")
	}
}

func TestReceiptFaults(t *testing.T) {
	t.Parallel()
	good := client.Rows{Read: 2, Added: 2}
	for want, r := range map[string]client.Receipt{
		"":                       {Rows: good, Members: client.Members{After: 2}, Files: []client.RunFile{{Rows: good}}},
		"rows of x.csv":          {Rows: good, Members: client.Members{After: 2}, Files: []client.RunFile{{Path: "x.csv", Rows: client.Rows{Read: 3, Added: 2}}}},
		"sum of its files":       {Rows: good, Members: client.Members{After: 2}},
		"the 1 members after":    {Rows: good, Members: client.Members{After: 1}, Files: []client.RunFile{{Rows: good}}},
		"the run's rows do not ": {Rows: client.Rows{Read: 1}, Files: []client.RunFile{{Rows: good}}},
	} {
		faults := strings.Join(r.Faults(), "; ")
		if want == "" && faults != "" || !strings.Contains(faults, want) {
			t.Errorf("faults %q, want %q", faults, want)
		}
	}
}
