package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"roster/tests/servertest"
)

// TestSeedOfEveryKind runs the calls of the seed document with a file in each kind of store.
func TestSeedOfEveryKind(t *testing.T) {
	t.Parallel()
	kinds := map[string]func(*testing.T, *server) place{"SFTP": sftpPlace, "SFTP by a password": passwordPlace, "landing zone": landingPlace}
	for name, open := range map[string]func(*testing.T) cloud{
		"S3": s3Cloud, "another S3": motoCloud, "GCS by HMAC keys": hmacCloud, "Azure by connection string": azureByString, "Azure by signature": azureBySignature, "Data Lake": dataLake, "GCS": gcsCloud,
	} {
		kinds[name] = func(t *testing.T, s *server) place {
			c := open(t)
			return place{put: c.put, connect: func() string { return c.connected(s, c.address) }}
		}
	}
	for name, where := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			walkThroughSeed(t, start(t, loopback), where)
		})
	}
}

// clouds are the stores that are read over HTTP, through a proxy of the test.
var clouds = map[string]func(*testing.T) cloud{"S3": s3Cloud, "Azure": azureByString, "GCS": gcsCloud}

// reads reports whether a request reads bytes of a file: a part of the object, in the way of its protocol.
func reads(r *http.Request, name string) bool {
	return r.Method == http.MethodGet && (strings.HasSuffix(r.URL.Path, name) || strings.HasSuffix(r.URL.EscapedPath(), name)) &&
		(r.Header.Get("Range") != "" || r.Header.Get("x-ms-range") != "")
}

const peopleFields = `[{"name": "mail", "type": "string", "identityNs": "email"}, {"name": "points", "type": "long"}]`

// audienceOf submits an audience that reads a path of a connection.
func (s *server) audienceOf(conn, path, typ string) string {
	s.t.Helper()
	return s.submit(fmt.Sprintf(`{"name": "people", "originName": "CUSTOM_UPLOAD", "fields": %s,
		"sourceSpec": {"path": %q, "type": %q, "sourceType": "Cloud Storage", "baseConnectionId": %q}}`, peopleFields, path, typ, conn))
}

// rowsOf returns a file with a number of people.
func rowsOf(from, to int) string {
	var b strings.Builder
	b.WriteString("mail,points\n")
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "person%d@example.com,%d\n", i, i)
	}
	return b.String()
}

// TestFaultyStores reads over connections that are reset, cut off, slow or refused. The ledger must be exact.
func TestFaultyStores(t *testing.T) {
	t.Parallel()
	for name, open := range clouds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := open(t)
			c.put("lists/a.csv", rowsOf(0, 400_000)) // large enough for several requests
			c.put("lists/b.csv", rowsOf(400_000, 401_000))
			var requests, faults atomic.Int64
			proxy := servertest.Proxy(t, c.address, func(r *http.Request) servertest.Fault {
				n := requests.Add(1)
				if !reads(r, ".csv") && n%2 == 0 {
					faults.Add(1)
					return servertest.Fault{Status: http.StatusServiceUnavailable, Body: "<Error><Code>SlowDown</Code></Error>"}
				}
				faults.Add(1)
				switch n % 5 {
				case 0:
					return servertest.Fault{Status: http.StatusServiceUnavailable}
				case 1:
					return servertest.Fault{Cut: 300_000}
				case 2:
					return servertest.Fault{Cut: 1}
				case 3:
					return servertest.Fault{Pause: time.Millisecond}
				}
				faults.Add(-1)
				return servertest.Fault{}
			})
			s := start(t, loopback)
			id := s.audienceOf(c.connected(s, proxy), "lists", "folder")
			run := s.ingest(id, "{}")
			if rows := run["rows"].(map[string]any); run["status"] != "SUCCESS" || rows["rowsRead"] != 401_000.0 || rows["added"] != 401_000.0 {
				t.Errorf("%v", run)
			}
			if faults.Load() < 5 {
				t.Errorf("%d faults in %d requests", faults.Load(), requests.Load())
			}
		})
	}
}

// TestReplacedObject replaces an object while it is read. The run fails, the error names the object, and nobody becomes
// a member.
func TestReplacedObject(t *testing.T) {
	t.Parallel()
	for name, open := range clouds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := open(t)
			c.put("a.csv", rowsOf(0, 1_000_000))
			var once sync.Once
			var armed atomic.Bool
			proxy := servertest.Proxy(t, c.address, func(r *http.Request) servertest.Fault {
				if armed.Load() && reads(r, "a.csv") {
					once.Do(func() { c.put("a.csv", rowsOf(2_000_000, 3_000_000)) })
				}
				return servertest.Fault{}
			})
			s := start(t, loopback)
			id := s.audienceOf(c.connected(s, proxy), "a.csv", "file")
			armed.Store(true)
			run := s.ingest(id, "{}")
			if text := compact(run); run["status"] != "FAILED" || !strings.Contains(text, "a.csv") || !strings.Contains(text, "changed while the run read it") {
				t.Errorf("%s", text)
			}
			if got := s.lookup("email", "person1@example.com", id); got != "" {
				t.Errorf("a person of a file that was half read is %q", got)
			}
		})
	}
}

// TestUnansweredStore reads from a store that always responds with 503. The run fails with an error that says so.
func TestUnansweredStore(t *testing.T) {
	t.Parallel()
	c := s3Cloud(t)
	c.put("a.csv", rowsOf(0, 10))
	var down atomic.Bool
	proxy := servertest.Proxy(t, c.address, func(*http.Request) servertest.Fault {
		if down.Load() {
			return servertest.Fault{Status: http.StatusServiceUnavailable}
		}
		return servertest.Fault{}
	})
	s := start(t, loopback)
	id := s.audienceOf(c.connected(s, proxy), "a.csv", "file")
	down.Store(true)
	run := s.ingest(id, "{}")
	if run["status"] != "FAILED" || !strings.Contains(compact(run), "a.csv") {
		t.Errorf("%v", run)
	}
	down.Store(false)
	if run = s.ingest(id, "{}"); run["status"] != "SUCCESS" {
		t.Errorf("when the store is back: %v", run)
	}
}

// TestFreshObjectMissed omits an object from a listing. The next run reads it.
func TestFreshObjectMissed(t *testing.T) {
	t.Parallel()
	c := s3Cloud(t)
	c.put("lists/a.csv", rowsOf(0, 10))
	c.put("lists/b.csv", rowsOf(10, 30))
	var stale atomic.Bool
	stale.Store(true)
	proxy := servertest.Proxy(t, c.address, func(r *http.Request) servertest.Fault {
		if !stale.Load() || r.URL.Query().Get("list-type") != "2" {
			return servertest.Fault{}
		}
		return servertest.Fault{Edit: func(body string) string {
			before, rest, found := strings.Cut(body, "<Contents><Key>exports/lists/b.csv")
			if !found {
				at := strings.Index(body, "exports/lists/b.csv")
				if at < 0 {
					return body
				}
				begin := strings.LastIndex(body[:at], "<Contents>")
				before, rest = body[:begin], body[at:]
			}
			_, after, _ := strings.Cut(rest, "</Contents>")
			return before + after
		}}
	})
	s := start(t, loopback)
	id := s.audienceOf(c.connected(s, proxy), "lists", "folder")
	for _, want := range []string{"SUCCESS 10", "SUCCESS 20"} {
		run := s.ingest(id, "{}")
		if got := fmt.Sprintf("%v %v", run["status"], run["rows"].(map[string]any)["added"]); got != want {
			t.Errorf("%s, want %s: %v", got, want, run)
		}
		stale.Store(false)
	}
}

// TestNoRightToList reads from a store without the right to list. A file is read by its path; for a folder the error
// names the missing right.
func TestNoRightToList(t *testing.T) {
	t.Parallel()
	c := s3Cloud(t)
	c.put("lists/a.csv", rowsOf(0, 10))
	proxy := servertest.Proxy(t, c.address, func(r *http.Request) servertest.Fault {
		if r.URL.Query().Get("list-type") == "2" {
			return servertest.Fault{Status: http.StatusForbidden, Body: "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"}
		}
		return servertest.Fault{}
	})
	s := start(t, loopback)
	conn := c.connected(s, proxy)
	if run := s.ingest(s.audienceOf(conn, "lists/a.csv", "file"), "{}"); run["status"] != "SUCCESS" {
		t.Errorf("%v", run)
	}
	s.call("POST", flow+"/"+conn+"/test", "").refused(400, "100910-400", "cannot be listed: permission denied", "right to read")
	task := s.call("POST", ais+"/submit", fmt.Sprintf(`{"name": "folder", "originName": "CUSTOM_UPLOAD", "fields": %s,
		"sourceSpec": {"path": "lists", "type": "folder", "sourceType": "Cloud Storage", "baseConnectionId": %q}}`, peopleFields, conn)).ok(200)["taskId"].(string)
	if v := s.poll(ais+"/task/"+task, ended); v["status"] != "FAILED" || !strings.Contains(compact(v), "cannot be listed") {
		t.Errorf("%v", v)
	}
}

// TestNearestNames checks that errors suggest similar names.
func TestNearestNames(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.put("Lists/People.csv", "mail\nada@example.com\n")
	s.put("Lists/people.csv.gz", "mail\nada@example.com\n")
	conn := s.connect()
	for path, want := range map[string]string{"lists/people.csv": "Lists/People.csv", "Lists/People.CSV": "Lists/People.csv", "Lists/people": "Lists/people.csv.gz"} {
		task := s.call("POST", ais+"/submit", fmt.Sprintf(`{"name": "people of %s", "originName": "CUSTOM_UPLOAD", "fields": %s,
			"sourceSpec": {"path": %q, "type": "file", "sourceType": "Cloud Storage", "baseConnectionId": %q}}`, path, peopleFields, path, conn)).ok(200)["taskId"].(string)
		if v := s.poll(ais+"/task/"+task, ended); v["status"] != "SUCCESS" || !strings.Contains(compact(v["warnings"]), want) {
			t.Errorf("%s: %v", path, v)
		}
	}
	id := s.audienceOf(conn, "Lists/People.csv", "file")
	if err := os.Rename(filepath.Join(s.root, "Lists"), filepath.Join(s.root, "LISTS")); err != nil {
		t.Fatal(err)
	}
	if run := s.ingest(id, "{}"); run["status"] != "FAILED" || !strings.Contains(compact(run), `LISTS/People.csv`) {
		t.Errorf("%v", run)
	}
	folder := s.call("GET", flow+"/"+conn+"/explore?objectType=folder&object=lists", "")
	if !strings.Contains(string(folder.body), `\"LISTS\"`) {
		t.Errorf("a folder: %s", folder.body)
	}
}
