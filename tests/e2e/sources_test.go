package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"google.golang.org/api/option"

	"roster/tests/servertest"
)

// place is where a test puts files, and how Roster is connected to it.
type place struct {
	put     func(name, content string)
	connect func() (connection string)
}

// cloud is a store of a cloud: a server, who puts files into it, and the connection that leads there by an address, which is
// the server's or that of a proxy before it.
type cloud struct {
	address string
	put     func(name, content string)
	body    func(address string) map[string]any // connectionSpec and auth
}

// connected makes a connection to a cloud.
func (c cloud) connected(s *server, address string) string {
	s.t.Helper()
	body := c.body(address)
	body["name"] = "cloud"
	return s.call("POST", flow, compact(body)).ok(201)["id"].(string)
}

// of is how a connection of a kind is described.
func of(spec, auth string, params map[string]any) map[string]any {
	return map[string]any{"connectionSpec": map[string]any{"id": spec, "version": "1.0"}, "auth": map[string]any{"specName": auth, "params": params}}
}

func s3Cloud(t *testing.T) cloud {
	t.Helper()
	store := startS3(t)
	return cloud{address: strings.TrimPrefix(store.url, "http://"), put: func(name, content string) { store.put("exports/"+name, content) },
		body: func(address string) map[string]any {
			return of("ecadc60c-7455-4d87-84dc-2a0e293d997b", "Access Key", map[string]any{"s3AccessKey": s3Key, "s3SecretKey": s3Secret,
				"serviceUrl": "http://" + address, "bucketName": "people", "folderPath": "exports"})
		}}
}

// azuriteAccount and azuriteKey are those of every Azurite.
const (
	azuriteAccount = "devstoreaccount1"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// azureCloud is a container of Azurite; connect describes a connection to it.
func azureCloud(t *testing.T, body func(admin *azblob.Client, address, connection string) map[string]any) cloud {
	t.Helper()
	address := servertest.Azurite(t)
	connection := func(address string) string {
		return fmt.Sprintf("DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=http://%s/%s;", azuriteAccount, azuriteKey, address, azuriteAccount)
	}
	admin, err := azblob.NewClientFromConnectionString(connection(address), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateContainer(t.Context(), "people", nil); err != nil {
		t.Fatal(err)
	}
	return cloud{address: address, put: func(name, content string) {
		t.Helper()
		if _, err := admin.UploadBuffer(t.Context(), "people", "exports/"+name, []byte(content), nil); err != nil {
			t.Fatal(err)
		}
	}, body: func(address string) map[string]any { return body(admin, address, connection(address)) }}
}

const azureBlob = "4c10e202-c428-4796-9208-5f1f5732b1cf"

func azureByString(t *testing.T) cloud {
	t.Helper()
	return azureCloud(t, func(_ *azblob.Client, _, connection string) map[string]any {
		return of(azureBlob, "ConnectionString", map[string]any{"connectionString": connection, "container": "people", "folderPath": "exports"})
	})
}

func azureBySignature(t *testing.T) cloud {
	t.Helper()
	return azureCloud(t, func(admin *azblob.Client, _, _ string) map[string]any {
		url, err := admin.ServiceClient().NewContainerClient("people").GetSASURL(sas.ContainerPermissions{Read: true, List: true}, time.Now().Add(time.Hour),
			&container.GetSASURLOptions{StartTime: new(time.Now().Add(-time.Hour))})
		if err != nil {
			t.Fatal(err)
		}
		return of(azureBlob, "SasURIAuthentication", map[string]any{"sasUri": url, "folderPath": "exports"})
	})
}

func dataLake(t *testing.T) cloud {
	t.Helper()
	return azureCloud(t, func(_ *azblob.Client, address, _ string) map[string]any {
		return of("b3ba5556-48be-44b7-8b85-ff2b69b46dc4", "Account Key", map[string]any{"url": "http://" + address + "/" + azuriteAccount,
			"accountName": azuriteAccount, "accountKey": azuriteKey, "container": "people", "folderPath": "exports"})
	})
}

func gcsCloud(t *testing.T) cloud {
	t.Helper()
	address := servertest.FakeGCS(t)
	admin, err := storage.NewClient(t.Context(), option.WithEndpoint("http://"+address+"/storage/v1/"), option.WithoutAuthentication(), storage.WithJSONReads())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	if err := admin.Bucket("people").Create(t.Context(), "p", nil); err != nil {
		t.Fatal(err)
	}
	account := serviceAccount(t)
	return cloud{address: address, put: func(name, content string) {
		t.Helper()
		w := admin.Bucket("people").Object("exports/" + name).NewWriter(t.Context())
		_, err := w.Write([]byte(content))
		if closed := w.Close(); err != nil || closed != nil {
			t.Fatal(err, closed)
		}
	}, body: func(address string) map[string]any {
		return of("32e8f412-cdf7-464c-9885-78184cb113fd", "Basic Authentication for google-cloud", map[string]any{"serviceAccountJson": account,
			"bucketName": "people", "folderPath": "exports", "endpoint": "http://" + address})
	}}
}

// serviceAccount is the key file of a service account whose tokens come from a server of this test.
func serviceAccount(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"token-of-this-test","token_type":"Bearer","expires_in":3600}`)
	}))
	t.Cleanup(tokens.Close)
	text, err := json.Marshal(map[string]string{"type": "service_account", "private_key_id": "1", "client_email": "reader@p.iam.gserviceaccount.com",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": tokens.URL})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sftpPlace is a folder behind OpenSSH's server.
func sftpPlace(t *testing.T, s *server) place {
	t.Helper()
	sshd := servertest.SSHD(t, "")
	host, port, err := net.SplitHostPort(sshd.Address)
	if err != nil {
		t.Fatal(err)
	}
	return place{put: s.put, connect: func() string {
		body := of("b7bf2577-4520-42c9-bae9-cad01560f7bc", "SSH PublicKey Authentication for sftp", map[string]any{
			"host": host, "port": port, "userName": sshd.User, "privateKeyContent": sshd.Private, "hostKey": sshd.HostKey, "folderPath": s.root})
		body["name"] = "server"
		return s.call("POST", flow, compact(body)).ok(201)["id"].(string)
	}}
}

// landingPlace is the landing zone, into which files are uploaded.
func landingPlace(_ *testing.T, s *server) place {
	return place{put: func(name, content string) { s.call("PUT", "/landing/"+name, content).ok(200) }, connect: func() string {
		return s.call("POST", flow, `{"name": "zone", "connectionSpec": {"id": "26f526f2-58f4-4712-961d-e41bf1ccc0e8"}}`).ok(201)["id"].(string)
	}}
}

// TestSeedOfEveryKind walks through the seed document with a file in each kind of store.
func TestSeedOfEveryKind(t *testing.T) {
	t.Parallel()
	kinds := map[string]func(*testing.T, *server) place{"SFTP": sftpPlace, "landing zone": landingPlace}
	for name, open := range map[string]func(*testing.T) cloud{
		"S3": s3Cloud, "Azure by connection string": azureByString, "Azure by signature": azureBySignature, "Data Lake": dataLake, "GCS": gcsCloud,
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

// clouds are the stores that are read over HTTP, with a proxy of the test between.
var clouds = map[string]func(*testing.T) cloud{"S3": s3Cloud, "Azure": azureByString, "GCS": gcsCloud}

// reads reports whether a request is for bytes of a file: a part of the object, however the protocol says so.
func reads(r *http.Request, name string) bool {
	return r.Method == http.MethodGet && (strings.HasSuffix(r.URL.Path, name) || strings.HasSuffix(r.URL.EscapedPath(), name)) &&
		(r.Header.Get("Range") != "" || r.Header.Get("x-ms-range") != "")
}

const peopleFields = `[{"name": "mail", "type": "string", "identityNs": "email"}, {"name": "points", "type": "long"}]`

// audienceOf submits an audience of a path of a connection.
func (s *server) audienceOf(conn, path, typ string) string {
	s.t.Helper()
	return s.submit(fmt.Sprintf(`{"name": "people", "originName": "CUSTOM_UPLOAD", "fields": %s,
		"sourceSpec": {"path": %q, "type": %q, "sourceType": "Cloud Storage", "baseConnectionId": %q}}`, peopleFields, path, typ, conn))
}

// rowsOf is a file of so many people.
func rowsOf(from, to int) string {
	var b strings.Builder
	b.WriteString("mail,points\n")
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "person%d@example.com,%d\n", i, i)
	}
	return b.String()
}

// TestFaultyStores reads through connections that are reset, cut off, slow and turned away: the ledger is exact all the same.
func TestFaultyStores(t *testing.T) {
	t.Parallel()
	for name, open := range clouds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := open(t)
			c.put("lists/a.csv", rowsOf(0, 400_000)) // parts enough for several requests
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

// TestReplacedObject replaces an object while it is read: the run fails by its name, and nobody is a member.
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

// TestUnansweredStore gives up on a store that answers nothing but 503, and says so.
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

// TestFreshObjectMissed has a listing that misses an object: the next run reads it.
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

// TestNoRightToList reads a file by its path where the store lets nobody list, and says what is missing for a folder.
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

// TestNearestNames suggests what the client may have meant.
func TestNearestNames(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.put("Lists/People.csv", "mail\nada@example.com\n")
	s.put("Lists/people.csv.gz", "mail\nada@example.com\n")
	conn := s.connect()
	for path, want := range map[string]string{"lists/people.csv": "Lists/People.csv", "Lists/People.CSV": "Lists/People.csv", "Lists/people": "Lists/people.csv.gz"} {
		task := s.call("POST", ais+"/submit", fmt.Sprintf(`{"name": "people", "originName": "CUSTOM_UPLOAD", "fields": %s,
			"sourceSpec": {"path": %q, "type": "file", "sourceType": "Cloud Storage", "baseConnectionId": %q}}`, peopleFields, path, conn)).ok(200)["taskId"].(string)
		if v := s.poll(ais+"/task/"+task, ended); v["status"] != "FAILED" || !strings.Contains(compact(v), want) {
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
