package abuse

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// from returns an HTTP client at a loopback address.
func from(address string) *http.Client {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	return &http.Client{Transport: &http.Transport{DialContext: d.DialContext, MaxIdleConnsPerHost: 8}, Timeout: 30 * time.Second}
}

// token requests a token and returns the status.
func (s *server) askToken(h *http.Client, id, secret string) answer {
	s.t.Helper()
	resp, err := h.PostForm(s.c.TokenURL, url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// TestGuessing tries secrets and tokens from one address in parallel. Other clients do not notice.
func TestGuessing(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(200)
	end := s.lookUps(200)
	attacker, other := from("127.0.0.2"), from("127.0.0.3")
	var mu sync.Mutex
	counts := map[int]int{}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				a := s.askToken(attacker, s.c.ClientID, fmt.Sprint("guess ", i, " ", j))
				mu.Lock()
				counts[a.status]++
				mu.Unlock()
				if after, err := strconv.Atoi(a.header.Get("Retry-After")); a.status == 429 && (err != nil || after < 1 || !strings.Contains(a.body, "slow_down")) {
					t.Errorf("%v %s", a.header, a.body)
				}
			}
		})
	}
	wg.Wait()
	if counts[401] < 10 || counts[401] > 40 || counts[401]+counts[429] != 400 {
		t.Errorf("answers to wrong secrets: %v", counts)
	}
	for h, want := range map[*http.Client]int{attacker: 429, other: 200} {
		if a := s.askToken(h, s.c.ClientID, s.c.ClientSecret); a.status != want {
			t.Errorf("the right secret: %d, want %d", a.status, want)
		}
	}
	counts = map[int]int{}
	for i := range 300 { // clients that do not exist
		counts[s.askToken(attacker, fmt.Sprint("client ", i), "guess").status]++
	}
	if counts[429] < 100 || counts[401]+counts[429] != 300 {
		t.Errorf("answers to unknown clients: %v", counts)
	}
	counts = map[int]int{}
	for i := range 600 {
		a, err := s.try(attacker, "GET", ais, http.NoBody, "Authorization", fmt.Sprint("Bearer ", s.token, i))
		if err != nil {
			t.Fatal(err)
		}
		counts[a.status]++
	}
	if counts[400] < 100 || counts[429] < 100 || counts[400]+counts[429] != 600 {
		t.Errorf("answers to forged tokens: %v", counts)
	}
	for _, h := range []*http.Client{attacker, other} { // the token is valid
		if a, err := s.try(h, "GET", ais, http.NoBody); err != nil || a.status != 200 {
			t.Errorf("the right token: %d, %v", a.status, err)
		}
	}
	end()
}

// TestReplayAfterDemotion repeats requests of clients that have lost the rights for them.
func TestReplayAfterDemotion(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.put("a.csv", []byte("email\na@example.com\n"))
	audience := s.submit(s.connect(), "a", "a.csv", "file", mailOnly)
	made := s.call("POST", "/roster/clients", `{"name":"etl","roles":{"prod":"editor"},"labels":["core/C1","core/C2"]}`).json(t, 201)
	id, secret := made["clientId"].(string), made["clientSecret"].(string)
	var token string
	fresh := func() []string {
		a := s.askToken(http.DefaultClient, id, secret)
		token = fmt.Sprint("Bearer ", a.json(t, 200)["access_token"])
		return []string{"Authorization", token, "x-api-key", id}
	}
	etl := append(fresh(), "Idempotency-Key", "once")
	run := func() answer { return s.call("POST", ais+"/"+audience+"/run", `{}`, etl...) }
	first := run()
	runID := first.json(t, 200)["runId"]
	if again := run(); again.body != first.body || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%+v", again)
	}
	change := func(body string) { s.call("PATCH", "/roster/clients/"+id, body).json(t, 200) }
	refused := func(what string, status int) {
		t.Helper()
		if a := run(); a.status != status || strings.Contains(a.body, runID.(string)) {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	change(`{"roles":{"prod":"viewer"}}`)
	refused("a viewer", 401)
	change(`{"roles":{"prod":"editor"},"labels":["core/C2"]}`)
	refused("a label less", 401)
	change(`{"labels":["core/C1","core/C2","core/C3"]}`)
	if a := run(); a.body != first.body {
		t.Errorf("rights that were given back: %+v", a)
	}
	s.call("PATCH", ais+"/"+audience, `{"labels":["core/C12"]}`).json(t, 200)
	refused("a hidden audience", 404)
	s.call("PATCH", ais+"/"+audience, `{"labels":[]}`).json(t, 200)
	change(`{"roles":{}}`)
	refused("no role", 401)
	change(`{"roles":{"prod":"editor"}}`)
	if a := s.call("DELETE", "/roster/clients/"+id, ""); a.status != 204 {
		t.Fatal(a)
	}
	refused("a deleted client", 400)
}
