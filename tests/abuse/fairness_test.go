package abuse

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// trickle is an S3 server that accepts every caller. It sends either its listings or its objects byte by byte, at
// intervals, without end, and responds at once to all other requests.
type trickle struct {
	*httptest.Server
	listings bool
	held     atomic.Int64 // responses that have begun and do not end
}

const trickledSize = 64 << 20

func newTrickle(t *testing.T, listings bool) *trickle {
	s := &trickle{listings: listings}
	s.Server = httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *trickle) answer(w http.ResponseWriter, r *http.Request) {
	const tag, date = `"0123456789abcdef0123456789abcdef"`, "Mon, 01 Jan 2024 00:00:00 GMT"
	listing := r.URL.Query().Has("list-type")
	if listing {
		w.Header().Set("Content-Type", "application/xml")
	} else {
		w.Header().Set("ETag", tag)
		w.Header().Set("Last-Modified", date)
	}
	switch {
	case listing && s.listings:
		s.drip(w, r, `<?xml version="1.0"?><ListBucketResult><Name>people</Name>`)
	case listing:
		fmt.Fprint(w, `<?xml version="1.0"?><ListBucketResult><Name>people</Name><IsTruncated>false</IsTruncated></ListBucketResult>`)
	case r.Method == http.MethodHead:
		w.Header().Set("Content-Length", fmt.Sprint(trickledSize))
	default:
		var first, last int64
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &first, &last); err != nil {
			http.Error(w, "no range", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, trickledSize))
		w.Header().Set("Content-Length", fmt.Sprint(last-first+1))
		w.WriteHeader(http.StatusPartialContent)
		s.drip(w, r, "email\n")
	}
}

// drip sends a beginning and then single bytes until the other side closes the connection.
func (s *trickle) drip(w http.ResponseWriter, r *http.Request, beginning string) {
	s.held.Add(1)
	fmt.Fprint(w, beginning)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
			fmt.Fprint(w, " ")
		}
	}
}

// holds waits until a number of responses have begun.
func (s *trickle) holds(t *testing.T, n int64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); s.held.Load() < n; <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d answers have begun, want %d", s.held.Load(), n)
		}
	}
}

// sandbox creates a sandbox and returns the header that names it.
func (s *server) sandbox(name string) (header []string) {
	s.t.Helper()
	a := s.call("POST", "/data/foundation/sandbox-management/sandboxes", fmt.Sprintf(`{"name": %q, "title": %q}`, name, name))
	if a.status != http.StatusAccepted {
		s.t.Fatalf("status %d: %s", a.status, a.body)
	}
	return []string{"x-sandbox-name", name}
}

// bucket creates a connection of a sandbox to a trickling server.
func (s *server) bucket(to *trickle, in []string) string {
	s.t.Helper()
	body := fmt.Sprintf(`{"name": "bucket %d", "connectionSpec": {"id": "ecadc60c-7455-4d87-84dc-2a0e293d997b", "version": "1.0"}, "auth": {"specName": "Access Key",
		"params": {"s3AccessKey": "id", "s3SecretKey": "hush", "bucketName": "people", "serviceUrl": %q}}}`, time.Now().UnixNano(), to.URL)
	return s.call("POST", flow, body, in...).json(s.t, 201)["id"].(string)
}

// ask submits an audience in a sandbox and does not wait for it.
func (s *server) ask(connection, name, path, kind string, in []string) answer {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"name": name, "originName": "CUSTOM_UPLOAD", "fields": json.RawMessage(mailOnly),
		"sourceSpec": map[string]string{"path": path, "type": kind, "sourceType": "Cloud Storage", "baseConnectionId": connection}})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.call("POST", ais+"/submit", string(body), in...)
}

// made waits for a submit of a sandbox and returns the audience.
func (s *server) made(a answer, in []string) string {
	s.t.Helper()
	v := s.pollIn(ais+"/task/"+a.json(s.t, 200)["taskId"].(string), in)
	if v["status"] != "SUCCESS" {
		s.t.Fatalf("task: %v", v)
	}
	return v["audienceId"].(string)
}

// pollIn is poll in a sandbox.
func (s *server) pollIn(path string, in []string) map[string]any {
	s.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; <-time.After(20 * time.Millisecond) {
		v := s.call("GET", path, "", in...).json(s.t, 200)
		if v["status"] != "PROCESSING" {
			return v
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s did not end: %v", path, v)
		}
	}
}

// beside submits and runs one row in the first sandbox while another sandbox attacks, and logs how long this takes.
func (s *server) beside(attack string) {
	s.t.Helper()
	began := time.Now()
	s.put("one.csv", []byte("email\nada@example.com\n"))
	if r := s.run(s.submit(s.connect(), "one", "one.csv", "file", mailOnly), `{}`); r["status"] != "SUCCESS" {
		s.t.Errorf("the run beside %s: %v", attack, r)
	}
	s.t.Logf("a submit and a run of one row took %s beside %s", time.Since(began), attack)
}

// TestTricklingObjects starts runs in one sandbox that never end. A run of another sandbox still succeeds, and so do
// look-ups.
func TestTricklingObjects(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.members(1000)
	hostile, to := s.sandbox("hostile"), newTrickle(t, false)
	conn := s.bucket(to, hostile)
	for i := range 8 {
		aud := s.made(s.ask(conn, fmt.Sprint("people ", i), "people.csv", "file", hostile), hostile)
		s.call("POST", ais+"/"+aud+"/run", `{}`, hostile...).json(t, 200)
	}
	to.holds(t, 2)
	end := s.lookUps(1000)
	s.beside("8 runs that trickle")
	end()
}

// TestTricklingListings submits folders in one sandbox whose listings never end. A submit of another sandbox still
// succeeds, and those of the first one fail.
func TestTricklingListings(t *testing.T) {
	t.Parallel()
	s := start(t)
	hostile, to := s.sandbox("hostile"), newTrickle(t, true)
	conn := s.bucket(to, hostile)
	var first string
	for i := range 9 {
		task := s.ask(conn, fmt.Sprint("people ", i), "in", "folder", hostile).json(t, 200)["taskId"].(string)
		if i == 0 {
			first = task
		}
	}
	to.holds(t, 3)
	s.beside("9 listings that trickle")
	if v := s.pollIn(ais+"/task/"+first, hostile); v["status"] != "FAILED" || !strings.Contains(fmt.Sprint(v), "did not answer within") {
		t.Errorf("a submit whose listing trickles: %v", v)
	}
}

// TestFloods sends too many requests from one sandbox. The sandbox gets refusals with a time to retry, and other
// sandboxes are served.
func TestFloods(t *testing.T) {
	t.Parallel()
	s := start(t, "--sandbox-submits", "5", "--sandbox-runs", "2")
	hostile, objects, listings := s.sandbox("hostile"), newTrickle(t, false), newTrickle(t, true)
	conn := s.bucket(objects, hostile)
	var audiences []string
	for i := range 3 {
		audiences = append(audiences, s.made(s.ask(conn, fmt.Sprint("people ", i), "people.csv", "file", hostile), hostile))
	}
	refused := func(a answer) bool {
		t.Helper()
		if a.status == http.StatusTooManyRequests && a.header.Get("Retry-After") == "" {
			t.Errorf("429 without Retry-After: %s", a.body)
		}
		if a.status != http.StatusTooManyRequests && a.status != http.StatusOK {
			t.Errorf("status %d: %s", a.status, a.body)
		}
		return a.status == http.StatusTooManyRequests
	}
	for i, aud := range audiences {
		if was := refused(s.call("POST", ais+"/"+aud+"/run", `{}`, hostile...)); was != (i == 2) {
			t.Errorf("run %d is refused: %v", i, was)
		}
	}
	slow, n := s.bucket(listings, hostile), 0
	for i := range 20 {
		if refused(s.ask(slow, fmt.Sprint("flood ", i), "in", "folder", hostile)) {
			n++
		}
	}
	if n < 10 {
		t.Errorf("%d of 20 submits were refused", n)
	}
	s.beside("a flood")
}
