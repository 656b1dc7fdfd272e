package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"roster/internal/app"
	"roster/tests/servertest"
)

const (
	s3Key    = "AKIATESTTESTTESTTEST"
	s3Secret = "planted/secret+of=this+test"
)

// s3Server is an S3 server with a bucket, "people".
type s3Server struct {
	t     *testing.T
	url   string
	admin *s3.Client
}

// startS3 starts a server with the bucket.
func startS3(t *testing.T) *s3Server {
	t.Helper()
	return s3At(t, servertest.VersityGW(t, s3Key, s3Secret))
}

// s3At is the server with the bucket, at an address.
func s3At(t *testing.T, address string) *s3Server {
	t.Helper()
	s := &s3Server{t: t, url: "http://" + address, admin: s3.New(s3.Options{Region: "us-east-1", UsePathStyle: true, BaseEndpoint: aws.String("http://" + address),
		Credentials: credentials.NewStaticCredentialsProvider(s3Key, s3Secret, ""), RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired})}
	if _, err := s.admin.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("people")}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *s3Server) put(key, content string) {
	s.t.Helper()
	if _, err := s.admin.PutObject(s.t.Context(), &s3.PutObjectInput{Bucket: aws.String("people"), Key: &key, Body: strings.NewReader(content)}); err != nil {
		s.t.Fatal(err)
	}
}

// keys lists the keys of the bucket.
func (s *s3Server) keys() (list []string) {
	s.t.Helper()
	out, err := s.admin.ListObjectsV2(s.t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("people")})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, o := range out.Contents {
		list = append(list, *o.Key)
	}
	return list
}

// connectionBody is the connection to the server.
func (s *s3Server) connectionBody(name, secret string) string {
	return compact(map[string]any{"name": name, "connectionSpec": map[string]any{"id": "ecadc60c-7455-4d87-84dc-2a0e293d997b", "version": "1.0"},
		"auth": map[string]any{"specName": "Access Key", "params": map[string]any{
			"s3AccessKey": s3Key, "s3SecretKey": secret, "serviceUrl": s.url, "bucketName": "people", "folderPath": "exports"}}})
}

// loopback allows connections to servers of the test.
func loopback(c *app.Config) { c.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

const flow = "/data/foundation/flowservice/connections"

// TestS3 imports from a bucket into an audience. The secret must not appear anywhere.
func TestS3(t *testing.T) {
	t.Parallel()
	store := startS3(t)
	s := start(t, loopback, func(c *app.Config) { c.SettleAge = new(time.Hour) }) // objects of a bucket are complete at once
	store.put("exports/loyal/1.csv", "mail,points\nada@example.com,1\nbob@example.com,2\n")
	store.put("exports/loyal/2.csv", "mail,points\nbob@example.com,3\ncleo@example.com,many\n")
	store.put("elsewhere/secret.csv", "mail\nnobody@example.com\n")

	conn := s.call("POST", flow, store.connectionBody("bucket", s3Secret)).ok(201)["id"].(string)
	one := s.call("GET", flow+"/"+conn, "")
	if !strings.Contains(string(one.body), `"s3AccessKey":"`+s3Key+`"`) || strings.Contains(string(one.body), "s3SecretKey") {
		t.Errorf("the connection is answered as %s", one.body)
	}
	s.call("POST", flow+"/"+conn+"/test", "").ok(200)
	if got := string(s.call("GET", flow+"/"+conn+"/explore?objectType=folder&object=loyal", "").body); !strings.Contains(got, `"loyal/1.csv"`) || strings.Contains(got, "elsewhere") {
		t.Errorf("the folder holds %s", got)
	}
	if got := string(s.call("GET", flow+"/"+conn+"/explore?objectType=file&object=loyal/1.csv&preview=true", "").body); !strings.Contains(got, "ada@example.com") {
		t.Errorf("the file is %s", got)
	}

	id := s.submit(compact(map[string]any{
		"name": "loyal", "originName": "CUSTOM_UPLOAD",
		"fields":     []any{map[string]any{"name": "mail", "type": "string", "identityNs": "email"}, map[string]any{"name": "points", "type": "long"}},
		"sourceSpec": map[string]any{"params": map[string]any{"path": "loyal", "type": "folder", "sourceType": "Cloud Storage", "cloudType": "S3", "baseConnectionId": conn}},
		"guards":     map[string]any{"maxRejectedPercent": 50},
	}))
	run := s.ingest(id, "{}")
	if got := fmt.Sprintf("%v %v %v", run["status"], run["rows"].(map[string]any)["added"], run["rows"].(map[string]any)["rowsRejected"]); got != "SUCCESS 2 1" {
		t.Fatalf("%s: %v", got, run)
	}
	if got := s.lookup("email", "bob@example.com", id); got != "realized" {
		t.Errorf("bob is %q", got)
	}
	store.put("exports/loyal/2.csv", "mail,points\ncleo@example.com,4\n")
	run = s.ingest(id, "{}")
	if got := fmt.Sprintf("%v %v %v", run["status"], run["rows"].(map[string]any)["rowsRead"], run["rows"].(map[string]any)["added"]); got != "SUCCESS 1 1" {
		t.Fatalf("only the object that changed is read again: %s: %v", got, run)
	}

	wrong := s.call("POST", flow, store.connectionBody("wrong", "not the secret")).ok(201)["id"].(string)
	s.call("POST", flow+"/"+wrong+"/test", "").refused(502, "100970-502", "the credentials are refused", "SignatureDoesNotMatch", "auth.params")

	s.stop()
	s.holdsNo(s3Secret)
	s.open()
	if run = s.ingest(id, `{"dataFilterStartTime":0,"differentialIngestion":false}`); run["status"] != "SUCCESS" {
		t.Errorf("after a restart: %v", run)
	}
}

// TestForbiddenNetwork checks that connections to internal networks are refused.
func TestForbiddenNetwork(t *testing.T) {
	t.Parallel()
	s := start(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	inside := &s3Server{t: t, url: "http://" + l.Addr().String()}
	conn := s.call("POST", flow, inside.connectionBody("inside", s3Secret)).ok(201)["id"].(string)
	s.call("POST", flow+"/"+conn+"/test", "").refused(502, "100970-502", "not a public one")
	s.call("POST", flow, strings.Replace(inside.connectionBody("x", s3Secret), "http://", "file://", 1)).refused(400, "100910-400", "auth.params.serviceUrl")
}

// holdsNo searches for a text in every file of the data directory.
func (s *server) holdsNo(text string) {
	s.t.Helper()
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(text)) {
			s.t.Errorf("%s holds the secret", path)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestRoleFromEnvironment reads a bucket with the server's own role, where the operator allows that.
func TestRoleFromEnvironment(t *testing.T) {
	store := startS3(t)
	store.put("exports/a.csv", rowsOf(0, 10))
	t.Setenv("AWS_ACCESS_KEY_ID", s3Key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3Secret)
	body := of("ecadc60c-7455-4d87-84dc-2a0e293d997b", "Role from Environment", map[string]any{"serviceUrl": store.url, "bucketName": "people", "folderPath": "exports"})
	body["name"] = "as the server"
	start(t, loopback).call("POST", flow, compact(body)).refused(400, "100910-400", "auth.specName", "--s3-environment")
	var told atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told.Add(1) }))
	defer elsewhere.Close()
	allowed := []string{store.url}
	s := start(t, loopback, func(c *app.Config) { c.S3Environment, c.S3EnvironmentEndpoints = true, allowed })
	conn := s.call("POST", flow, compact(body)).ok(201)["id"].(string)
	if run := s.ingest(s.audienceOf(conn, "a.csv", "file"), "{}"); run["status"] != "SUCCESS" {
		t.Errorf("%v", run)
	}
	// A tenant's own store does not get the server's credentials.
	s.callWith("PATCH", flow+"/"+conn, compact([]any{map[string]any{"op": "replace", "path": "/auth/params/serviceUrl", "value": elsewhere.URL}}), map[string]string{"If-Match": "*"}).
		refused(400, "100910-400", "auth.params.serviceUrl", "--s3-environment-endpoints")
	// Nor does a store whose connection was created while the operator allowed its address.
	s.stop()
	allowed = nil
	s.open()
	s.call("POST", flow+"/"+conn+"/test", "").refused(400, "100910-400", "auth.params.serviceUrl")
	if told.Load() > 0 {
		t.Errorf("%d requests went elsewhere", told.Load())
	}
}
