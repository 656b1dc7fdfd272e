// Package clients runs third-party clients against Roster.
package clients

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roster/tests/rostertest"
)

func python(t *testing.T) string {
	t.Helper()
	p := os.Getenv("ROSTER_TEST_PYTHON")
	if p == "" {
		t.Skip("set ROSTER_TEST_PYTHON to a Python with tests/clients/requirements.txt to run this test")
	}
	return p
}

// adobe are the hosts that are built into clients of Adobe Experience Platform.
var adobe = []string{"platform.adobe.io", "ims-na1.adobelogin.com"}

// server is the roster command, serving TLS under these hosts.
type server struct {
	t       *testing.T
	dir     string // of the server
	address string
	ca      string // file with the certificate of the authority, when TLS is served
}

// serve starts a server for Adobe's hosts, by TLS, and ends it with the test.
func serve(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{t: t, dir: filepath.Join(dir, "data"), ca: filepath.Join(dir, "ca.pem")}
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	s.certify(cert, key)
	pool := x509.NewCertPool()
	text, err := os.ReadFile(s.ca)
	if err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatal("no authority", err)
	}
	s.start("--tls-cert", cert, "--tls-key", key)
	s.wait("https", &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}})
	return s
}

// servePlain starts a server without TLS and ends it with the test.
func servePlain(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, dir: filepath.Join(t.TempDir(), "data")}
	s.start()
	s.wait("http", &http.Client{})
	return s
}

// start starts the command with more flags.
func (s *server) start(flags ...string) {
	t := s.t
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), rostertest.Binary(t), append([]string{"serve", "--data-dir", s.dir, "--listen", s.address, "--settle-age", "0s"}, flags...)...)
	var log bytes.Buffer
	cmd.Stderr = &log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil && t.Context().Err() == nil {
			t.Errorf("the server ended with %v:\n%s", err, log.String())
		}
		if strings.Contains(log.String(), "panic") {
			t.Errorf("the server's log:\n%s", log.String())
		}
	})
}

// certify makes an authority and a certificate for Adobe's hosts.
func (s *server) certify(certFile, keyFile string) {
	s.t.Helper()
	write := func(file, kind string, der []byte) {
		s.t.Helper()
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			s.t.Fatal(err)
		}
		return key
	}
	now := time.Now()
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	authorityKey, key := newKey(), newKey()
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		s.t.Fatal(err)
	}
	write(s.ca, "CERTIFICATE", der)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: adobe[0]}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		DNSNames: adobe, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if der, err = x509.CreateCertificate(rand.Reader, leaf, authority, key.Public(), authorityKey); err != nil {
		s.t.Fatal(err)
	}
	write(certFile, "CERTIFICATE", der)
	if der, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		s.t.Fatal(err)
	}
	write(keyFile, "PRIVATE KEY", der)
}

// wait waits until the server takes requests.
func (s *server) wait(scheme string, c *http.Client) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		resp, err := c.Get(scheme + "://" + s.address + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the server does not get ready: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// land puts a file into the landing zone.
func (s *server) land(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, "landing", "prod", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run runs a program in its own folder and returns its output. The program finds the server under Adobe's names, and
// the scripts of this package by their file names.
func (s *server) run(ctx context.Context, program string, args ...string) (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	if strings.HasSuffix(args[0], ".py") {
		args[0] = filepath.Join(here, args[0])
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = s.t.TempDir()
	cmd.Env = append(os.Environ(), "PYTHONPATH="+here, "ROSTER_NAMES="+strings.Join(adobe, ","), "ROSTER_ADDRESS="+s.address, "REQUESTS_CA_BUNDLE="+s.ca, "SSL_CERT_FILE="+s.ca,
		"PYTHONDONTWRITEBYTECODE=1")
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w\n%s\n%s", err, out, errOut.String())
	}
	return string(out), err
}

// TestAEPP uses the API with aepp, which has Adobe's hosts built in. It calls every method of aepp's services for
// audiences, profiles, flows, identities and sandboxes, except those for which aepp_beyond.py gives a reason.
func TestAEPP(t *testing.T) {
	t.Parallel()
	program := python(t)
	s := serve(t)
	s.land("lists/loyal.csv", "mail,tier\nada@example.com,gold\ngrace@example.com,silver\n")
	out, err := s.run(t.Context(), program, "aepp_walk.py", filepath.Join(s.dir, "credentials.json"))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(out)
	if n := strings.Count(out, `", "`) + 1; n < 45 {
		t.Errorf("only %d steps were taken", n)
	}
}

// TestLint checks the server's API description against OpenAPI's own schema and rules, which find misspelt properties,
// duplicate operationIds and undescribed path parameters.
func TestLint(t *testing.T) {
	t.Parallel()
	program := python(t)
	s := serve(t)
	out, err := s.run(t.Context(), program, "lint.py", "https://"+s.address+"/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(out)
}

// TestSchemathesis sends requests that openapi.yaml allows and requests that it does not. The server must not fail,
// must not give an undescribed answer, and must not accept a wrong body. ROSTER_TEST_PROBE is the duration, 20s by
// default.
func TestSchemathesis(t *testing.T) {
	t.Parallel()
	program := python(t)
	budget := 20 * time.Second
	if text := os.Getenv("ROSTER_TEST_PROBE"); text != "" {
		var err error
		if budget, err = time.ParseDuration(text); err != nil {
			t.Fatalf("ROSTER_TEST_PROBE: %v", err)
		}
	}
	s := serve(t)
	s.land("probe.csv", "mail\nada@example.com\ngrace@example.com\n")
	config, spec := filepath.Join(t.TempDir(), "schemathesis.toml"), filepath.Join(t.TempDir(), "openapi.yaml")
	if _, err := s.run(t.Context(), program, "probe.py", filepath.Join(s.dir, "credentials.json"), config, spec); err != nil {
		t.Fatal(err)
	}
	origin := "https://" + s.address
	// The probe deletes nothing, because later calls would miss it.
	out, err := s.run(t.Context(), program, "-m", "schemathesis.cli", "--config-file", config, "run", spec, "--url", origin, "--tls-verify", s.ca,
		"--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,negative_data_rejection",
		"--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--no-shrink", "--warnings", "off",
		"--seed", "20261123", // makes findings repeatable
		"--max-time", fmt.Sprint(int(budget.Seconds())), "--exclude-operation-id-regex", "^(delete|reset)")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(out)
}
