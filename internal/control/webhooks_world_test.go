package control_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"roster/internal/audience"
	"roster/internal/control"
	"roster/internal/job"
	"roster/internal/meta"
	"roster/internal/netguard"
	"roster/internal/webhook"
)

// receiver is an endpoint that returns the status that the test sets, and stores what it receives.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []received
}

type received struct {
	header http.Header
	body   []byte
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusNoContent}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, received{req.Header, body})
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// take returns the messages since the last take.
func (r *receiver) take() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// hooked is a world that sends to webhooks, with an endpoint on loopback.
type hooked struct {
	*world
	endpoint *receiver
	cfg      config
}

func newHooked(t *testing.T) *hooked {
	t.Helper()
	w := newWorld(t)
	h := &hooked{world: w, endpoint: newReceiver(t), cfg: w.config("worker-1")}
	h.cfg.Sealer = sealer(t, w.dir)
	h.cfg.WebhookSender = webhook.NewSender(netguard.Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}.Client().Transport)
	h.restart()
	h.client(audience.Client{ID: w.editor.ClientID, Roles: map[string]audience.ClientRole{"prod": audience.Editor}, Grants: audience.Grants{audience.AllLabels}})
	return h
}

// restart replaces the process by a new one on the same stores.
func (h *hooked) restart() { h.use(h.cfg) }

// client stores an API client of the organization.
func (h *hooked) client(c audience.Client) {
	h.t.Helper()
	c.Org = h.editor.Scope.Org
	h.update(func(tx meta.Tx) error { return tx.CreateClient(h.t.Context(), c) })
}

// hook creates a webhook to the endpoint as an actor.
func (h *hooked) hook(by audience.Actor, events ...audience.EventType) (audience.Webhook, string) {
	h.t.Helper()
	w, secret, err := h.CreateWebhook(h.t.Context(), by, audience.Webhook{URL: h.endpoint.URL + "/hook?token=mine", Events: events})
	if err != nil {
		h.t.Fatal(err)
	}
	return w, secret
}

// send handles the due jobs of webhooks.
func (h *hooked) send() {
	h.t.Helper()
	if err := h.Recover(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	for _, j := range h.jobs.take() {
		if j.Kind == job.Webhook {
			h.handle(j)
		}
	}
}

// log returns the log of a webhook.
func (h *hooked) log(id audience.WebhookID) []audience.Delivery {
	h.t.Helper()
	list, err := h.Deliveries(h.t.Context(), h.editor, id, nil, control.MaxDeliveries)
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

func (h *hooked) read(id audience.WebhookID) audience.Webhook {
	h.t.Helper()
	w, err := h.Webhook(h.t.Context(), h.editor, id)
	if err != nil {
		h.t.Fatal(err)
	}
	return w
}

// event decodes a message and verifies its signature.
func (h *hooked) event(r received, secret string) (e struct {
	SpecVersion, ID, Source, Type, Subject, DataContentType string
	Time                                                    time.Time
	Data                                                    map[string]any
}) {
	h.t.Helper()
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := verifier.VerifyIgnoringTimestamp(r.body, r.header); err != nil {
		h.t.Error(err)
	}
	if err := json.Unmarshal(r.body, &e); err != nil {
		h.t.Fatalf("%s: %v", r.body, err)
	}
	if e.ID != r.header.Get(webhook.HeaderID) || e.SpecVersion != "1.0" || e.Source != "/organizations/ABC@RosterOrg/sandboxes/prod" || e.Time.IsZero() ||
		e.DataContentType != "application/json" {
		h.t.Errorf("%s under the id %s", r.body, r.header.Get(webhook.HeaderID))
	}
	return e
}
