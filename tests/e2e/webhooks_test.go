package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"roster/internal/app"
)

// allowLoopback allows connections and webhooks to this machine.
func allowLoopback(c *app.Config) {
	c.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

// TestWebhook creates and runs an audience while the endpoint is down, and restarts the server. The events arrive when
// the endpoint is up.
func TestWebhook(t *testing.T) {
	t.Parallel()
	var up atomic.Bool
	type message struct {
		header http.Header
		body   []byte
	}
	arrived := make(chan message, 100)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if !up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
		arrived <- message{r.Header, body}
	}))
	defer endpoint.Close()

	s := start(t, allowLoopback)
	hook := s.call("POST", "/roster/webhooks", `{"url": "`+endpoint.URL+`", "events": ["roster.task.ended", "roster.run.ended", "roster.guard.tripped"]}`).ok(201)
	path, secret := "/roster/webhooks/"+hook["id"].(string), hook["secret"].(string)
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	s.land("people.csv", "mail,points\nada@example.com,1\ngrace@example.com,many\n")
	id := s.submit(`{"name": "people", "fields": [{"name": "mail", "type": "string", "identityNs": "email"}, {"name": "points", "type": "long"}],
		"originName": "CUSTOM_UPLOAD", "sourceSpec": {"path": "people.csv", "type": "file", "cloudType": "DLZ"}}`)
	if run := s.ingest(id, ""); run["status"] != "FAILED" {
		t.Fatalf("a run with half of its rows rejected: %v", run)
	}
	tried := func(v map[string]any) bool {
		list := v["deliveries"].([]any)
		return len(list) == 3 && !slices.ContainsFunc(list, func(d any) bool { return len(d.(map[string]any)["attempts"].([]any)) == 0 })
	}
	s.poll(path+"/deliveries", tried)

	s.stop()
	up.Store(true)
	s.clock.advance(10 * time.Second)
	s.open()
	var types []string
	for range 3 {
		m := <-arrived
		if err := verifier.VerifyIgnoringTimestamp(m.body, m.header); err != nil {
			t.Error(err)
		}
		var e struct{ Type, Subject string }
		if err := json.Unmarshal(m.body, &e); err != nil || e.Subject != id {
			t.Errorf("%s, %v", m.body, err)
		}
		for _, private := range []string{"ada@", "grace", "people.csv", "points", "many"} {
			if strings.Contains(string(m.body), private) {
				t.Errorf("an event tells %q: %s", private, m.body)
			}
		}
		types = append(types, e.Type)
	}
	slices.Sort(types)
	if want := []string{"roster.guard.tripped", "roster.run.ended", "roster.task.ended"}; !slices.Equal(types, want) {
		t.Errorf("%q arrived, want %q", types, want)
	}
	log := s.poll(path+"/deliveries", func(v map[string]any) bool { return strings.Count(compact(v), `"status":"delivered"`) == 3 })
	if text := compact(log); !strings.Contains(text, `"statusCode":503`) || !strings.Contains(text, `"statusCode":204`) {
		t.Errorf("%s", text)
	}
	for _, call := range []string{"/roster/webhooks", path, path + "/deliveries", "/roster/audit"} {
		if a := s.call("GET", call, ""); a.status != 200 || strings.Contains(string(a.body), strings.TrimPrefix(secret, "whsec_")) {
			t.Errorf("%s: %d %s", call, a.status, a.body)
		}
	}
}

// TestWebhookInside creates endpoints in an internal network, by IP address and by name, that the operator has not
// allowed.
func TestWebhookInside(t *testing.T) {
	t.Parallel()
	endpoint := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the endpoint was reached") }))
	defer endpoint.Close()
	s := start(t)
	for _, address := range []string{endpoint.URL, strings.Replace(endpoint.URL, "127.0.0.1", "localhost", 1), "http://169.254.169.254/latest/meta-data", "http://[::1]:9/", "https://10.0.0.1/"} {
		hook := s.call("POST", "/roster/webhooks", `{"url": "`+address+`", "events": ["roster.run.ended"]}`).ok(201)
		path := "/roster/webhooks/" + hook["id"].(string)
		event := s.call("POST", path+"/test", "").ok(202)["eventId"].(string)
		log := s.poll(path+"/deliveries", func(v map[string]any) bool { return strings.Contains(compact(v), `"error"`) })
		d := log["deliveries"].([]any)[0].(map[string]any)
		if d["eventId"] != event || d["status"] != "pending" || !strings.Contains(compact(d), "not a public one") || strings.Contains(compact(d), "127.0.0.1") {
			t.Errorf("%s: %v", address, d)
		}
	}
}
