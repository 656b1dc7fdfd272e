package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"roster/tests/servertest"
)

// TestSignatureInAddress reads from a store that breaks off every response. The signature in the store's address must
// not appear in any response or file.
func TestSignatureInAddress(t *testing.T) {
	t.Parallel()
	c := azureBySignature(t)
	c.put("a.csv", rowsOf(0, 10))
	var down atomic.Bool
	proxy := servertest.Proxy(t, c.address, func(*http.Request) servertest.Fault {
		if down.Load() {
			panic(http.ErrAbortHandler)
		}
		return servertest.Fault{}
	})
	s := start(t, loopback)
	body := c.body(c.address)
	params := body["auth"].(map[string]any)["params"].(map[string]any)
	signed, err := url.Parse(params["sasUri"].(string))
	if err != nil {
		t.Fatal(err)
	}
	signature := signed.Query().Get("sig")
	signed.Host = proxy
	params["sasUri"], body["name"] = signed.String(), "signed"
	conn := s.call("POST", flow, compact(body)).ok(201)["id"].(string)
	id := s.audienceOf(conn, "a.csv", "file")
	down.Store(true)
	tested := string(s.call("POST", flow+"/"+conn+"/test", "").body)
	looked := string(s.call("GET", flow+"/"+conn+"/explore?objectType=file&object=a.csv", "").body)
	run := compact(s.ingest(id, "{}"))
	for _, text := range []string{tested, looked, run} {
		if strings.Contains(text, signature) || strings.Contains(text, url.QueryEscape(signature)) || strings.Contains(text, "sig=") || !strings.Contains(text, "the connection broke off") {
			t.Errorf("%s", text)
		}
	}
	s.stop()
	s.holdsNo(signature)
	s.holdsNo(url.QueryEscape(signature))
}

// TestExploreBesideMany explores a folder with a subfolder that has more files than a look may list.
func TestExploreBesideMany(t *testing.T) {
	t.Parallel()
	c := s3Cloud(t)
	for i := range 30 {
		c.put(fmt.Sprintf("deep/%d.csv", i), "mail\n")
	}
	c.put("z.csv", rowsOf(0, 1))
	var lists atomic.Int64
	proxy := servertest.Proxy(t, c.address, func(r *http.Request) servertest.Fault {
		if r.URL.Query().Get("list-type") == "2" {
			lists.Add(1)
			if r.URL.Query().Get("delimiter") != "/" {
				t.Errorf("all that is below is listed: %s", r.URL.RawQuery)
			}
		}
		return servertest.Fault{}
	})
	s := start(t, loopback)
	root := s.call("GET", flow+"/"+c.connected(s, proxy)+"/explore?objectType=root", "")
	if got := string(root.body); !strings.Contains(got, `"path":"deep"`) || !strings.Contains(got, `"path":"z.csv"`) || strings.Contains(got, "deep/") || lists.Load() != 1 {
		t.Errorf("%s in %d lists", got, lists.Load())
	}
}
