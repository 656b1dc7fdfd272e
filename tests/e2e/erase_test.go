package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"roster/client"
	"roster/internal/app"
)

// holders returns the files of the data directory that contain a text, without the landing zone.
func (s *server) holders(text string) []string {
	s.t.Helper()
	return holding(s.t, s.dir, text)
}

// holding returns the files below a folder that contain a text, without the landing zone.
func holding(t *testing.T, dir, text string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed at this moment
		}
		if err == nil && d.IsDir() && d.Name() == "landing" {
			return fs.SkipDir
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(bytes.ToLower(content), []byte(text)) {
			paths = append(paths, strings.TrimPrefix(path, dir))
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// erase requests an erasure and returns it when it has ended.
func (s *server) erase(namespace, identity string) map[string]any {
	s.t.Helper()
	job := s.call("DELETE", "/data/core/ups/access/entities?"+url.Values{"entityId": {identity}, "entityIdNS": {namespace}}.Encode(), "").ok(202)["jobId"].(string)
	if _, found := s.profile(namespace, identity); found {
		s.t.Errorf("the %s is found after its erasure was begun", namespace)
	}
	e := s.poll("/roster/erasures/"+job, ended)
	if e["status"] != "SUCCESS" {
		s.t.Fatalf("the erasure ended as %v", e)
	}
	return e
}

// profile looks an identity up.
func (s *server) profile(namespace, identity string) (body string, found bool) {
	s.t.Helper()
	a := s.call("GET", "/data/core/ups/access/entities?"+url.Values{"entityId": {identity}, "entityIdNS": {namespace}}.Encode(), "")
	if a.status == 404 {
		return "", false
	}
	a.ok(200)
	return string(a.body), true
}

// TestErase erases a person by a further identity. No identity finds the person, and no file of Roster contains the
// person. All other members stay unchanged. A certificate states this. A later run adds the person again.
func TestErase(t *testing.T) {
	t.Parallel()
	s := start(t)
	const first = "mail,phone,points,day\nada.lovelace@x.org,+441,1,2026-02-01\nbob@x.org,+442,2,\ncleo@x.org,+443,3,\n"
	s.land("in.csv", first+"Ada.Lovelace@X.org,+441,many,\n")
	keeping := strings.TrimSuffix(membersBody("list", "in.csv", true), "}") + `, "keepRejectedRows": true, "guards": {"maxRejectedPercent": 100}}`
	id := s.submit(keeping)
	s.land("other.csv", "mail,phone,points,day\nada.lovelace@x.org,+449,1,\nbob@x.org,+442,2,\n")
	other := s.submit(membersBody("other", "other.csv", true))
	before := s.ingest(id, fullRun)
	s.land("in.csv", first+"dora@x.org,+444,4,\n")
	s.ingest(id, fullRun)
	s.ingest(other, fullRun)
	if held := s.holders("ada.lovelace@x.org"); len(held) < 3 {
		t.Fatalf("only %v hold the mail before it is erased, so that nothing would be shown afterwards", held)
	}

	e := s.erase("Phone", "+441")
	if list := e["audiences"].([]any); len(list) != 1 || list[0].(map[string]any)["audienceId"] != id || list[0].(map[string]any)["members"] != 1.0 {
		t.Errorf("erased from %v", list)
	}
	if _, found := s.profile("phone", "+441"); found {
		t.Error("the phone is found")
	}
	if got := s.lookup("email", "ada.lovelace@x.org", id); got != "" {
		t.Errorf("the mail is %q of the audience", got)
	}
	if got := s.lookup("email", "ada.lovelace@x.org", other); got != "realized" {
		t.Errorf("the mail is %q of an audience that did not have the phone", got)
	}
	if got := names(s.call("GET", ais+"/"+id+"/members", "").lines()); got != "bob@x.org cleo@x.org dora@x.org" {
		t.Errorf("the members are %s", got)
	}
	for _, who := range []string{"bob@x.org", "cleo@x.org", "dora@x.org"} {
		if got := s.lookup("email", who, id); got != "realized" {
			t.Errorf("%s is %q", who, got)
		}
	}
	firstRun := before["runId"].(string)
	refused := s.call("POST", ais+"/"+id+"/runs/"+firstRun+"/rollback", "")
	refused.refused(422, "100960-422")
	asOf := s.call("GET", ais+"/"+id+"/members?asOf="+firstRun, "")
	asOf.refused(422, "100960-422")
	if !strings.Contains(string(refused.body), e["id"].(string)) || !strings.Contains(string(asOf.body), e["id"].(string)) {
		t.Errorf("the refusals do not name the erasure: %s %s", refused.body, asOf.body)
	}
	removed := e["audiences"].([]any)[0].(map[string]any)["removedVersions"].([]any)
	if list := string(s.call("GET", ais+"/"+id+"/versions", "").body); len(removed) == 0 || removed[0].(map[string]any)["runId"] != firstRun || !strings.Contains(list, `"removed":[{"runId":"`) {
		t.Errorf("the erasure removed %v, the versions are %s", removed, list)
	}

	e = s.erase("email", "ADA.lovelace@x.org")
	if list := e["audiences"].([]any); len(list) == 0 || list[len(list)-1].(map[string]any)["audienceId"] != other {
		t.Errorf("erased from %v", list)
	}
	if held := s.holders("ada.lovelace@x.org"); len(held) > 0 {
		t.Errorf("%v hold the mail", held)
	}
	if body, found := s.profile("phone", "+449"); found {
		t.Errorf("the phone of the member is found: %s", body)
	}
	s.certified(e)

	s.ingest(other, fullRun)
	if got := s.lookup("email", "ada.lovelace@x.org", other); got != "realized" {
		t.Errorf("after another run with the mail it is %q", got)
	}
}

// TestEraseLabelled erases a person from an audience with a label, as an administrator who does not hold the label. The
// person is removed, and the administrator sees neither the audience nor its members.
func TestEraseLabelled(t *testing.T) {
	t.Parallel()
	m := governed(t)
	m.land("in.csv", "mail\nada@x.org\nbob@x.org\n")
	id := m.submit(`{"name": "list", "labels": ["custom/x"], "fields": [{"name": "mail", "type": "string", "identityNs": "email"}],
		"originName": "CUSTOM_UPLOAD", "sourceSpec": {"path": "in.csv", "type": "file", "cloudType": "DLZ"}}`)
	m.ingest(id, "")
	plain := m.newClient("plain", `{"prod": "admin"}`, `[]`)
	job := m.as(plain, "DELETE", "/data/core/ups/access/entities?entityId=ada@x.org&entityIdNS=email", "").ok(202)["jobId"].(string)
	m.poll("/roster/erasures/"+job, ended)
	if got := names(m.call("GET", ais+"/"+id+"/members", "").lines()); got != "bob@x.org" {
		t.Errorf("the members are %s", got)
	}
	for _, path := range []string{"/roster/erasures", "/roster/erasures/" + job, "/roster/erasures/" + job + "/certificate"} {
		full, told := m.as(m.admin, "GET", path, ""), m.as(plain, "GET", path, "")
		if full.status != 200 || told.status != 200 || !strings.Contains(string(full.body), id) || strings.Contains(string(told.body), id) {
			t.Errorf("%s: %d %s to who holds the label, %d %s to who does not", path, full.status, full.body, told.status, told.body)
		}
	}
}

// TestSuppress keeps erased people out, by any of their identities.
func TestSuppress(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *app.Config) { c.SuppressErased = true })
	const people = "mail,phone,points,day\nada@x.org,+441,1,\nbob@x.org,+442,2,\ncleo@x.org,+443,3,\nada@x.org,,4,\n"
	s.land("in.csv", people)
	body := strings.TrimSuffix(membersBody("list", "in.csv", true), "}") + `, "keepRejectedRows": true, "guards": {"maxRejectedPercent": 100}}`
	id := s.submit(body)
	s.ingest(id, fullRun)
	s.erase("email", "ada@x.org")
	s.erase("phone", "+443")
	s.land("in.csv", people+"dora@x.org,+444,,\n")
	run := s.ingest(id, fullRun)
	sameJSON(t, "rows", run["rows"], `{"rowsRead": 5, "rowsRejected": 3, "duplicates": 0, "added": 1, "updated": 0, "unchanged": 1, "deleted": 0, "deletedNotMember": 0}`)
	if got := names(s.call("GET", ais+"/"+id+"/members", "").lines()); got != "bob@x.org dora@x.org" {
		t.Errorf("the members are %s", got)
	}
	rejects := string(s.call("GET", ais+"/"+id+"/runs/"+run["runId"].(string)+"/rejects", "").body)
	if strings.Count(rejects, "SUPPRESSED") != 3 || strings.Contains(rejects, "ada@") {
		t.Errorf("the rejects are %s", rejects)
	}
}

// certified verifies the certificate of an erasure, and a modified one.
func (s *server) certified(e map[string]any) {
	s.t.Helper()
	a := s.call("GET", "/roster/erasures/"+e["id"].(string)+"/certificate", "")
	a.ok(200)
	var signed client.SignedCertificate
	var c client.ErasureCertificate
	if err := json.Unmarshal(a.body, &signed); err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal(signed.Certificate, &c); err != nil || c.XID != e["xid"] || c.Sandbox != "prod" || len(c.Audiences) == 0 || len(c.Covers) == 0 {
		s.t.Errorf("%v: %+v", err, c)
	}
	file := filepath.Join(s.t.TempDir(), "certificate.json")
	writeFile(s.t, file, string(a.body))
	if code, out, stderr := finish(s.t, command(s.t, "verify", file, "--server", s.app.URL())); code != 0 || !strings.Contains(out, c.XID) {
		s.t.Errorf("exit %d: %s%s", code, out, stderr)
	}
	writeFile(s.t, file, strings.Replace(string(a.body), c.XID, "R00", 1))
	if code, out, _ := finish(s.t, command(s.t, "verify", file, "--server", s.app.URL())); code != 1 {
		s.t.Errorf("a changed certificate: exit %d: %s", code, out)
	}
}
