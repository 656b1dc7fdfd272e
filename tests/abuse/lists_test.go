package abuse

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

const flowService = "/data/foundation/flowservice"

// TestListsAreBounded requests more than lists return. Each refusal names the limit, and no list fails with an internal
// error.
func TestListsAreBounded(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(10)
	end := s.lookUps(10)
	defer end()
	id := s.submit(s.connect(), "listed", "bystanders.csv", "file", mailOnly)
	lists := []string{"/core/ups/audiences", ais + "/" + id + "/runs", flowService + "/flows", flowService + "/runs", flowService + "/connections"}
	many := []string{"/roster/audit", "/landing", "/roster/clients", "/roster/erasures", ais + "/" + id + "/members"}
	for _, filter := range []string{"property=name==x", "property=status!=FAILED", "property=createdAt>=1", "property=name=containsx", "property=id==x"} {
		for _, path := range lists {
			for _, n := range []int{21, 100, 990} {
				if a := s.call("GET", path+"?"+strings.Repeat(filter+"&", n), ""); a.status != http.StatusBadRequest {
					t.Errorf("%d times %s of %s: status %d: %.300s", n, filter, path, a.status, a.body)
				}
			}
		}
	}
	for _, path := range append(lists, many...) {
		if a := s.call("GET", path+"?"+strings.Repeat("a=b&", 10_000), ""); a.status != http.StatusBadRequest {
			t.Errorf("10,000 parameters of %s: status %d: %.300s", path, a.status, a.body)
		}
	}
	list := func(n int, entry string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(entry+",", n), ",") + "]"
	}
	ids := list(20_000, `{"id":"`+id+`"}`)
	ops := list(10_000, `{"op":"add","path":"/labels/-","value":"core/C1"}`)
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/core/ups/audiences/bulk-get", `{"ids":` + ids + `}`},
		{"PATCH", "/core/ups/audiences/" + id, ops},
		{"PATCH", ais + "/" + id, `{"labels":` + list(60_000, `"core/C1"`) + `}`},
		{"PATCH", ais + "/" + id, `{"tags":` + list(60_000, `"a"`) + `}`},
		{"PATCH", ais + "/" + id, `{"fields":` + list(20_000, `{"name":"email","labels":[]}`) + `}`},
		{"POST", ais + "/submit", `{"fields":` + list(20_000, `{"name":"a","type":"string"}`) + `}`},
		{"POST", ais + "/submit", `{"fields":` + list(300_000, `{}`) + `}`},
		{"POST", ais + "/submit", `{` + unknown(40_000) + `}`},
		{"POST", ais + "/submit", strings.Repeat("[", 500_000)},
		{"POST", ais + "/submit", `{"name":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`},
		{"POST", ais + "/submit", `{"sourceSpec":{"path":"a","type":"file","format":{"nullValues":` + list(200_000, `"a"`) + `}}}`},
	} {
		before := s.cpu()
		a := s.call(c.method, c.path, c.body)
		used := s.cpu() - before
		const most = 3 * time.Second
		if t.Logf("%s %s %.60s: status %d, %v of processor time", c.method, c.path, c.body, a.status, used); a.status != http.StatusBadRequest || used > most {
			t.Errorf("%s %s %.60s: status %d after %v of processor time: %.300s", c.method, c.path, c.body, a.status, used, a.body)
		}
	}
}

func unknown(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"property %d":1,`, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}

// TestTokensOfPagesAreSealed sends page tokens back modified, to other lists and from another sandbox. All are refused.
func TestTokensOfPagesAreSealed(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(10)
	first := s.connect()
	s.submit(first, "second", "bystanders.csv", "file", mailOnly)
	<-time.After(time.Millisecond) // names of connections contain the time
	s.connect()
	s.call("POST", "/data/foundation/sandbox-management/sandboxes", `{"name":"other","title":"Other","type":"development"}`)
	audienceID := s.call("GET", "/core/ups/audiences?sort=name:asc&limit=1", "").json(t, 200)["children"].([]any)[0].(map[string]any)["id"].(string)
	members := ais + "/" + audienceID + "/members"
	tokens := map[string]string{ // by the list that accepts them
		"/core/ups/audiences?start=":                    s.call("GET", "/core/ups/audiences?limit=1", "").json(t, 200)["_page"].(map[string]any)["next"].(string),
		flowService + "/connections?continuationToken=": continuation(s.call("GET", flowService+"/connections?limit=1", "").json(t, 200)),
		flowService + "/flows?continuationToken=":       continuation(s.call("GET", flowService+"/flows?limit=1", "").json(t, 200)),
		flowService + "/runs?continuationToken=":        continuation(s.call("GET", flowService+"/runs?limit=1", "").json(t, 200)),
		"/roster/audit?start=":                          s.call("GET", "/roster/audit?limit=1", "").json(t, 200)["_page"].(map[string]any)["next"].(string),
		members + "?cursor=":                            s.call("GET", members+"?limit=1", "").header.Get("x-next-cursor"),
	}
	for list, token := range tokens {
		if a := s.call("GET", list+token, ""); token == "" || a.status != http.StatusOK {
			t.Errorf("%s takes its own token %q with %d: %.300s", list, token, a.status, a.body)
		}
		forged := []string{"", "x", token[1:], token[:len(token)-1], token + "A", token[:len(token)-1] + "!"}[1:]
		if data, err := base64.RawURLEncoding.DecodeString(token); err == nil {
			for _, at := range []int{0, len(data) / 2, len(data) - 2} {
				changed := append([]byte(nil), data...)
				changed[at] ^= 1
				forged = append(forged, base64.RawURLEncoding.EncodeToString(changed))
			}
			forged = append(forged, base64.RawURLEncoding.EncodeToString(data[16:]), base64.RawURLEncoding.EncodeToString([]byte(`{"p":{"i":"x"}}`)))
		}
		for other, of := range tokens {
			if other != list {
				forged = append(forged, of)
			}
		}
		for _, f := range forged {
			if a := s.call("GET", list+f, ""); a.status != http.StatusBadRequest {
				t.Errorf("%s takes %q with %d: %.300s", list, f, a.status, a.body)
			}
		}
		if a := s.call("GET", list+token, "", "x-sandbox-name", "other"); !strings.HasPrefix(list, members) && a.status != http.StatusBadRequest {
			t.Errorf("%s takes the token of another sandbox with %d: %.300s", list, a.status, a.body)
		}
	}
	for _, path := range []string{"/core/ups/audiences?name=other&start=" + tokens["/core/ups/audiences?start="], members + "?fields=email&cursor=" + tokens[members+"?cursor="],
		flowService + "/connections?property=name==x&continuationToken=" + tokens[flowService+"/connections?continuationToken="]} {
		if a := s.call("GET", path, ""); a.status != http.StatusBadRequest {
			t.Errorf("%s goes on with a token of another query: %d", path, a.status)
		}
	}
	s.stop()
	s.open()
	for list, token := range tokens {
		if a := s.call("GET", list+token, ""); a.status != http.StatusOK {
			t.Errorf("after a start again, %s takes its own token with %d: %.300s", list, a.status, a.body)
		}
	}
}

// continuation returns the token of a list's next page.
func continuation(list map[string]any) string {
	links, _ := list["_links"].(map[string]any)
	next, _ := links["next"].(map[string]any)
	href, _ := next["href"].(string)
	_, token, _ := strings.Cut(href, "continuationToken=")
	return token
}
