package webhook_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"roster/internal/netguard"
	"roster/internal/webhook"
)

var loopback = netguard.Policy{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}

// TestSign has the example of the Standard Webhooks specification's libraries.
func TestSign(t *testing.T) {
	t.Parallel()
	m := webhook.Message{Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", ID: "msg_p5jXN8AQM9LWM0D4loKWxJek", At: time.Unix(1614265330, 0), Body: []byte(`{"test": 2432232314}`)}
	got, err := webhook.Sign(&m)
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	m.Secret = "whsec_?"
	if _, err := webhook.Sign(&m); err == nil || strings.Contains(err.Error(), "?") {
		t.Errorf("a secret that is none: %v", err)
	}
}

// TestSend has the receiver verify by the library of Standard Webhooks.
func TestSend(t *testing.T) {
	t.Parallel()
	secret := webhook.NewSecret()
	if secret == webhook.NewSecret() {
		t.Fatal("two secrets are the same")
	}
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = verifier.Verify(body, r.Header)
		}
		got <- err
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/cloudevents+json; charset=utf-8" {
			t.Errorf("%s %v", r.Method, r.Header)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer srv.Close()
	s := webhook.NewSender(loopback.Client().Transport)
	status, err := s.Send(t.Context(), webhook.Message{URL: srv.URL, Secret: secret, ID: "e1", At: time.Now(), Body: []byte(`{"a":1}`)})
	if err != nil || status != http.StatusAccepted {
		t.Errorf("%d, %v", status, err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// TestRefusals has answers that are none, and an answer without an end.
func TestRefusals(t *testing.T) {
	t.Parallel()
	followed := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/there":
			followed = true
		case "/redirects":
			http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
		case "/fails":
			http.Error(w, "secret text of the endpoint", http.StatusBadGateway)
		case "/endless":
			for {
				if _, err := io.WriteString(w, strings.Repeat("x", 1<<16)); err != nil {
					return
				}
			}
		}
	}))
	defer srv.Close()
	s := webhook.NewSender(loopback.Client().Transport)
	send := func(address string) (int, error) {
		return s.Send(t.Context(), webhook.Message{URL: address, Secret: webhook.NewSecret(), ID: "e", At: time.Now()})
	}
	for path, want := range map[string]int{"/redirects": 307, "/fails": 502} {
		if status, err := send(srv.URL + path); status != want || err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %d, %v", path, status, err)
		}
	}
	if followed {
		t.Error("a redirection was followed")
	}
	if status, err := send(srv.URL + "/endless"); status != 200 || err != nil {
		t.Errorf("an answer without an end: %d, %v", status, err)
	}
	srv.Close()
	port := srv.Listener.Addr().String()
	if status, err := send("http://" + port); status != 0 || err == nil || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("nobody listens: %d, %v", status, err)
	}
	if status, err := send("http://nothing.invalid/"); status != 0 || err == nil {
		t.Errorf("no such host: %d, %v", status, err)
	}
}

// TestForbiddenAddresses calls addresses inside, by number and by name, which no request may reach.
func TestForbiddenAddresses(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request arrived") }))
	defer srv.Close()
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := webhook.NewSender(netguard.Policy{}.Client().Transport)
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1", "192.168.0.1", "172.16.0.1", "[fe80::1]", "[fd00::1]", "0.0.0.0", "[::]"} {
		status, err := s.Send(t.Context(), webhook.Message{URL: "http://" + host + ":" + u.Port(), Secret: webhook.NewSecret(), ID: "e", At: time.Now()})
		if status != 0 || err == nil || !strings.Contains(err.Error(), "not a public one") {
			t.Errorf("%s: %d, %v", host, status, err)
		}
	}
}
