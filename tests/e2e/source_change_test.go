package e2e

import "testing"

// TestChangeSource makes an audience read another file. Its members stay. An invalid source changes nothing.
func TestChangeSource(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.land("monday.csv", "mail\nada@example.com\n")
	s.land("tuesday.csv", "mail;x\nbob@example.com;1\n")
	id := s.submit(`{"name": "People", "originName": "CUSTOM_UPLOAD", "fields": [{"name": "mail", "type": "string", "identityNs": "Email"}],
		"sourceSpec": {"params": {"path": "monday.csv", "type": "file", "cloudType": "DLZ"}}}`)
	s.ingest(id, `{}`)
	path := "/data/core/ais/external-audience/" + id + "/source"
	was := s.call("GET", "/data/core/ais/external-audience/"+id, "").ok(200)["sourceSpec"]
	for _, wrong := range []string{
		`{}`, `{"sourceSpec": {"path": "tuesday.csv"}}`, `{"sourceSpec": {"path": "../x", "type": "file", "cloudType": "DLZ"}}`,
		`{"sourceSpec": {"path": "tuesday.csv", "type": "file", "baseConnectionId": "no"}}`,
		`{"sourceSpec": {"path": "tuesday.csv", "type": "file", "cloudType": "DLZ", "format": {"delimiter": "ab"}}}`,
		`{"sourceSpec": {"path": "tuesday.csv", "type": "file", "cloudType": "DLZ"}, "fields": []}`,
		`{"sourceSpec": {"path": "a", "params": {"path": "tuesday.csv", "type": "file", "cloudType": "DLZ"}}}`,
	} {
		s.call("PUT", path, wrong).refused(400, "100910-400")
	}
	if now := s.call("GET", "/data/core/ais/external-audience/"+id, "").ok(200)["sourceSpec"]; compact(now) != compact(was) {
		t.Errorf("a refused change left %s, not %s", compact(now), compact(was))
	}
	changed := s.call("PUT", path, `{"sourceSpec": {"path": "tuesday.csv", "type": "file", "cloudType": "DLZ", "format": {"delimiter": ";"}}}`).ok(200)
	if got := changed["sourceSpec"].(map[string]any); got["path"] != "tuesday.csv" || compact(got["format"]) != `{"delimiter":";"}` {
		t.Errorf("%v", changed)
	}
	s.ingest(id, `{}`)
	for _, who := range []string{"ada@example.com", "bob@example.com"} {
		if got := s.lookup("Email", who, id); got != "realized" {
			t.Errorf("%s is %q", who, got)
		}
	}
	s.call("PUT", "/data/core/ais/external-audience/3ab6d2ba-8a4a-4bd8-8a6b-9f0e3f3f4f4e/source", `{"sourceSpec": {"path": "a", "type": "file", "cloudType": "DLZ"}}`).refused(404, "100940-404")
}
