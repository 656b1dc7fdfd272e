package api

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"roster/client"
)

// TestPageTokens checks that a token is accepted only by the list that it belongs to.
func TestPageTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	another := w.service.audience
	another.ID = absentID
	w.service.audiences = append(w.service.audiences, another)
	list := audiences + "?limit=1&sort=name:asc&name=a"
	next := ok[client.UPSAudienceList](t, w.do("GET", list, ""), 200).Page.Next
	if next == "" {
		t.Fatal("there is no next page")
	}
	data, _ := base64.RawURLEncoding.DecodeString(next)
	forged := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(data), `"t":`, `"t":9`, 1)))
	unsealed := base64.RawURLEncoding.EncodeToString(data[sealSize:])
	clients := ok[client.APIClientList](t, w.do("GET", "/roster/clients?limit=1", ""), 200).Page.Next
	for path, status := range map[string]int{
		audiences + "?start=" + next:                              200,
		list + "&start=" + next:                                   200,
		audiences + "?limit=2&start=" + next:                      200,
		"/core/ups/audiences/?start=" + next:                      200,
		audiences + "?name=b&start=" + next:                       400,
		audiences + "?property=type==x&start=" + next:             400,
		audiences + "?sort=name:desc&start=" + next:               400,
		audiences + "?start=" + forged:                            400,
		audiences + "?start=" + unsealed:                          400,
		audiences + "?start=" + next + "A":                        400,
		audiences + "?start=" + next[:len(next)-4]:                400,
		audiences + "?start=" + clients:                           400,
		"/roster/clients?start=" + clients:                        200,
		"/roster/clients?start=" + next:                           400,
		"/roster/clients?start=" + clientID:                       400,
		"/landing?start=" + clients:                               400,
		"/roster/audit?start=" + clients:                          400,
		flowservice + "/connections?continuationToken=" + clients: 400,
		membersPath + "?cursor=" + clients:                        400,
	} {
		if rec := w.do("GET", path, ""); rec.Code != status {
			t.Errorf("%s: %d, want %d: %.300s", path, rec.Code, status, rec.Body)
		}
	}
	if rec := newWorld(t).do("GET", audiences+"?start="+next, ""); rec.Code != http.StatusBadRequest {
		t.Errorf("the token of another installation: %d", rec.Code)
	}
}

// TestManyParameters refuses queries with too many parameters.
func TestManyParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for query, status := range map[string]int{
		strings.Repeat("property=name==x&", maxFilters):   200,
		strings.Repeat("property=name==x&", maxFilters+1): 400,
		strings.Repeat("a=b&", maxParameters+1):           400,
		strings.Repeat("a=b&", 20_000):                    400,
	} {
		for _, path := range []string{audiences, flowservice + "/connections", flowservice + "/flows", flowservice + "/runs"} {
			if rec := w.do("GET", path+"?"+query, ""); rec.Code != status {
				t.Errorf("%s with %d bytes: %d, want %d: %.300s", path, len(query), rec.Code, status, rec.Body)
			}
		}
	}
}

// FuzzPageToken checks that only the server can create a page token.
func FuzzPageToken(f *testing.F) {
	f.Add("")
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("s", sealSize) + `{"q":{"a":["b"]},"p":1}`)))
	f.Add(base64.RawURLEncoding.EncodeToString(make([]byte, sealSize)))
	c := &call{Request: httptest.NewRequest(http.MethodGet, audiences, nil), pageKey: []byte("a key of a server")}
	f.Fuzz(func(t *testing.T, text string) {
		if place, ok := c.opened(text); ok {
			t.Errorf("%q is taken for a token: %v", text, place)
		}
	})
}
