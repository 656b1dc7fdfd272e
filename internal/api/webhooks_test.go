package api

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"roster/client"
	"roster/internal/audience"
	"roster/internal/control"
)

func TestWebhooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const body = `{"url": "https://example.com/hook", "description": "d", "events": ["roster.task.ended", "roster.run.ended", "roster.task.ended"]}`
	const seen = `"url":"https://example.com/hook"`
	first := w.do("POST", webhooks, body, "Idempotency-Key", "k")
	created := ok[client.Webhook](t, first, http.StatusCreated)
	if created.Secret != "whsec_a new secret" || !reflect.DeepEqual(created.Events, []string{"roster.run.ended", "roster.task.ended"}) || created.Description != "d" {
		t.Errorf("%s", first.Body)
	}
	again := w.do("POST", webhooks, body, "Idempotency-Key", "k")
	if kept := ok[client.Webhook](t, again, http.StatusCreated); kept.Secret != "" || kept.ID != created.ID {
		t.Errorf("repeated: %s", again.Body)
	}
	for _, path := range []string{webhooks, webhooks + "/" + otherID} {
		rec := w.do("GET", path, "")
		if text := rec.Body.String(); rec.Code != 200 || strings.Contains(text, "sealed") || strings.Contains(text, "secret") || !strings.Contains(text, seen) {
			t.Errorf("%s: %d %s", path, rec.Code, text)
		}
	}
	w.do("PATCH", webhooks+"/"+otherID, `{"enabled": false, "events": []}`)
	if p := last[control.WebhookPatch](t, w.service); p.URL != nil || p.Description != nil || *p.Enabled || p.Events == nil || len(p.Events) != 0 {
		t.Errorf("%+v", p)
	}
	w.do("PATCH", webhooks+"/"+otherID, `{"url": "http://b"}`)
	if p := last[control.WebhookPatch](t, w.service); *p.URL != "http://b" || p.Enabled != nil || p.Events != nil {
		t.Errorf("%+v", p)
	}
	if sent := ok[client.WebhookTest](t, w.do("POST", webhooks+"/"+otherID+"/test", ""), http.StatusAccepted); sent.EventID != absentID {
		t.Errorf("%+v", sent)
	}
	for _, call := range []string{"GET ", "DELETE ", "POST /test", "GET /deliveries"} {
		method, rest, _ := strings.Cut(call, " ")
		for _, id := range []string{absentID, "none"} {
			if rec := w.do(method, webhooks+"/"+id+rest, ""); rec.Code != http.StatusNotFound {
				t.Errorf("%s of %s: %d %s", call, id, rec.Code, rec.Body)
			}
		}
	}
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rec := w.do("GET", webhooks+"/"+otherID+"/deliveries?limit=2", "")
	page := ok[client.DeliveryLog](t, rec, 200)
	want := client.Delivery{EventID: runID, Type: string(audience.EventRunEnded), CreatedAt: testNow.Unix(), Status: "pending", NextAttempt: testNow.Unix(),
		Attempts: []client.Attempt{{At: testNow.Unix(), StatusCode: 500, Error: "the endpoint answered with status 500"}}}
	if len(page.Deliveries) != 2 || !reflect.DeepEqual(page.Deliveries[0], want) || page.Page.Next == "" || strings.Contains(rec.Body.String(), "the body") {
		t.Errorf("%s", rec.Body)
	}
	page = ok[client.DeliveryLog](t, w.do("GET", webhooks+"/"+otherID+"/deliveries?start="+page.Page.Next, ""), 200)
	if after := last[*audience.Position](t, w.service); after == nil || after.ID != runID || after.At.UnixMicro() != testNow.UnixMicro() {
		t.Errorf("%+v", after)
	}
	if page.Page.Next != "" || page.Page.Count != 3 || page.Page.Limit != defaultDeliveries {
		t.Errorf("%+v", page.Page)
	}
}
