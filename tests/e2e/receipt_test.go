package e2e

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roster/client"
	"roster/internal/app"
	"roster/internal/auth"
)

// TestReceipt imports a file and verifies the receipt of the run with three sources of keys: the data directory, a file
// of keys, and a server. Then it modifies every part of the receipt.
func TestReceipt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, data, receipt := filepath.Join(dir, "people.csv"), filepath.Join(dir, "data"), filepath.Join(dir, "receipt.json")
	writeFile(t, file, "mail,points\nada@example.com,1\nbob@example.com,many\nada@example.com,2\ncleo@example.com,4\n")
	code, stdout, stderr := finish(t, command(t, "import", file, "--name", "people", "--identity", "mail=Email", "--field", "points=long",
		"--max-rejected", "50", "--data-dir", data, "--receipt", receipt))
	if code != 0 {
		t.Fatalf("exit %d: %s%s", code, stdout, stderr)
	}
	code, stdout, stderr = finish(t, command(t, "verify", receipt, "--data-dir", data, "--json"))
	var v struct {
		Valid   bool
		Faults  []string
		Receipt client.Receipt
	}
	if err := json.Unmarshal([]byte(stdout), &v); err != nil || code != 0 || !v.Valid || len(v.Faults) > 0 {
		t.Fatalf("exit %d, %v: %s%s", code, err, stdout, stderr)
	}
	if want := (client.Rows{Read: 4, Rejected: 1, Duplicates: 1, Added: 2}); v.Receipt.Rows != want || v.Receipt.Members.After != 2 || v.Receipt.AudienceName != "people" {
		t.Errorf("the receipt is %+v", v.Receipt)
	}
	if code, stdout, _ = finish(t, command(t, "verify", receipt, "--data-dir", data)); code != 0 || !strings.HasPrefix(stdout, "VALID") || !strings.Contains(stdout, v.Receipt.RunID) {
		t.Errorf("exit %d: %s", code, stdout)
	}

	text, err := os.ReadFile(receipt)
	if err != nil {
		t.Fatal(err)
	}
	var signed client.SignedReceipt
	if err := json.Unmarshal(text, &signed); err != nil {
		t.Fatal(err)
	}
	other := start(t)
	signer, err := auth.NewIssuer(app.KeyPath(data), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(receipt string) string {
		signature, err := signer.SignReceipt([]byte(receipt))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(`{"receipt":%s,"signature":%q}`, receipt, signature)
	}
	for name, c := range map[string]struct {
		receipt string
		args    []string
		code    int
		mention string
	}{
		"laid out otherwise":   {indent(t, text), []string{"--data-dir", data}, 0, "VALID"},
		"a changed count":      {strings.Replace(string(text), `"rowsRejected":1`, `"rowsRejected":0`, 1), []string{"--data-dir", data}, 1, "changed"},
		"a count twice":        {strings.Replace(string(text), `"rowsRejected":1`, `"rowsRejected":0,"rowsRejected":1`, 1), []string{"--data-dir", data}, 1, "changed"},
		"a receipt twice":      {strings.Replace(string(text), `"signature":`, `"receipt":{},"Receipt":`+string(signed.Receipt)+`,"signature":`, 1), []string{"--data-dir", data}, 1, "changed"},
		"a wrong ledger":       {sign(strings.Replace(string(signed.Receipt), `"rowsRejected":1`, `"rowsRejected":0`, 1)), []string{"--data-dir", data}, 1, "the run's rows do not add up"},
		"a later version":      {sign(`{"version":2}`), []string{"--data-dir", data}, 2, "version 2"},
		"another signature":    {strings.Replace(string(text), signed.Signature, signed.Signature[:len(signed.Signature)-4]+"AAAA", 1), []string{"--data-dir", data}, 1, "none of the server's keys"},
		"no receipt":           {"mail,points\n", []string{"--data-dir", data}, 1, "not a receipt"},
		"another server's key": {string(text), []string{"--server", other.app.URL()}, 1, "another server's"},
		"no server":            {string(text), []string{"--server", "http://127.0.0.1:1"}, 2, "127.0.0.1"},
		"no data directory":    {string(text), []string{"--data-dir", filepath.Join(dir, "absent")}, 2, "absent"},
		"both keys":            {string(text), []string{"--server", other.app.URL(), "--jwks", receipt}, 2, "--jwks"},
		"keys that are none":   {string(text), []string{"--jwks", file}, 2, "JSON Web Key Set"},
	} {
		cmd := command(t, append([]string{"verify", "-"}, c.args...)...)
		cmd.Stdin = strings.NewReader(c.receipt)
		if code, stdout, stderr := finish(t, cmd); code != c.code || !strings.Contains(stdout+stderr, c.mention) {
			t.Errorf("%s: exit %d, want %d and %q: %s%s", name, code, c.code, c.mention, stdout, stderr)
		}
	}
	if code, _, stderr := finish(t, command(t, "verify", receipt+".absent", "--data-dir", data)); code != 2 || !strings.Contains(stderr, "absent") {
		t.Errorf("an absent file: exit %d: %s", code, stderr)
	}
}

// TestReceipts reads the receipts of runs of every kind, and of runs that have none.
func TestReceipts(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("in.csv", "mail,points\nada@example.com,1\nbob@example.com,many\ncleo@example.com,3\n")
	id := s.submit(submitBody("list", "in.csv"))
	runs := ais + "/" + id + "/runs/"
	wait := func(started answer) map[string]any {
		t.Helper()
		return s.poll(runs+started.ok(200)["runId"].(string), ended)
	}
	first := s.ingest(id, `{"differentialIngestion": false, "force": true}`)
	firstID := first["runId"].(string)
	want := func(run map[string]any, kind string, rows client.Rows, members client.Members) (receipt string) {
		t.Helper()
		a := s.call("GET", runs+run["runId"].(string)+"/receipt", "")
		signed := decoded[client.SignedReceipt](a, 200)
		if payload := s.signedByServer(signed.Signature); payload != string(signed.Receipt) {
			t.Errorf("what is signed is %s, the receipt is %s", payload, signed.Receipt)
		}
		var r client.Receipt
		if err := json.Unmarshal(signed.Receipt, &r); err != nil {
			t.Fatal(err)
		}
		if r.Kind != kind || r.Rows != rows || r.Members != members || len(r.Faults()) > 0 {
			t.Errorf("the receipt of kind %q is %+v, faults %q", kind, r, r.Faults())
		}
		of, _ := run["of"].(string)
		if r.RunID != run["runId"] || r.AudienceID != id || r.Dataset.SnapshotID != run["snapshotId"] || r.ContentSum.Value != run["contentSum"] ||
			r.Organization != s.creds.OrgID || r.Sandbox != s.creds.Sandbox || r.Of != of {
			t.Errorf("the receipt is %+v, the run is %v", r, run)
		}
		return string(a.body)
	}
	receipt := want(first, "", client.Rows{Read: 3, Rejected: 1, Added: 2}, client.Members{After: 2})
	resubmit := wait(s.call("POST", runs+firstID+"/rejects/resubmit?name=bob.csv", "mail,points\nbob@example.com,2\n"))
	want(resubmit, "resubmit", client.Rows{Read: 1, Added: 1}, client.Members{Before: 2, After: 3})
	rollback := wait(s.call("POST", runs+firstID+"/rollback", "{}"))
	want(rollback, "rollback", client.Rows{Read: 2, Unchanged: 2}, client.Members{Before: 3, After: 2, Removed: 1})
	extend := wait(s.call("POST", ais+"/extend-ttl/"+id, ""))
	want(extend, "extend", client.Rows{}, client.Members{Before: 2, After: 2})

	dry := s.ingest(id, `{"dryRun": true}`)["runId"].(string)
	s.call("GET", runs+dry+"/receipt", "").refused(422, "100960-422", dry, "dry run")
	s.land("in.csv", "")
	failed := s.ingest(id, `{"differentialIngestion": false}`)["runId"].(string)
	s.call("GET", runs+failed+"/receipt", "").refused(422, "100960-422", failed, "FAILED")
	s.call("GET", runs+id+"/receipt", "").refused(404, "100940-404", id)
	s.callWith("GET", runs+firstID+"/receipt", "", map[string]string{"Authorization": ""}).refused(401, "100920-401")

	s.stop()
	s.clock.advance(31 * 24 * time.Hour) // the memberships have ended
	s.open()
	s.believe()
	if again := s.call("GET", runs+firstID+"/receipt", ""); string(again.body) != receipt {
		t.Errorf("the receipt became\n%s\nit was\n%s", again.body, receipt)
	}
	var expire map[string]any
	s.poll(ais+"/"+id+"/runs", func(list map[string]any) bool {
		expire = list["runs"].([]any)[0].(map[string]any)
		return expire["kind"] == "expire" && ended(expire)
	})
	want(expire, "expire", client.Rows{}, client.Members{Before: 2, Expired: 2})
}

// signedByServer checks a signature with RFC 7515 and the standard library alone, with the server's published key, and
// returns the signed content.
func (s *server) signedByServer(signature string) string {
	s.t.Helper()
	resp, err := http.Get(s.app.URL() + "/.well-known/jwks.json")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(text, &set); err != nil || len(set.Keys) != 1 || !strings.Contains(resp.Header.Get("Cache-Control"), "max-age") {
		s.t.Fatalf("keys: %v, %v, %s", err, resp.Header, text)
	}
	decode := func(text string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			s.t.Fatal(err)
		}
		return b
	}
	key := set.Keys[0]
	sameJSON(s.t, "the key", any(map[string]any{"kty": key["kty"], "crv": key["crv"], "d": key["d"]}), `{"kty": "OKP", "crv": "Ed25519", "d": ""}`)
	parts := strings.Split(signature, ".")
	if len(parts) != 3 || !ed25519.Verify(decode(key["x"]), []byte(parts[0]+"."+parts[1]), decode(parts[2])) {
		s.t.Fatalf("the signature does not hold: %s", signature)
	}
	var header any
	if err := json.Unmarshal(decode(parts[0]), &header); err != nil {
		s.t.Fatal(err)
	}
	sameJSON(s.t, "the header", header, fmt.Sprintf(`{"alg": "EdDSA", "kid": %q, "typ": "roster-receipt+jws"}`, key["kid"]))
	return string(decode(parts[1]))
}

func indent(t *testing.T, text []byte) string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
