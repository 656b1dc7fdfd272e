// Package abuse attacks Roster as a hostile tenant, a hostile author of files, a hostile peer or a careless operator.
// Each attack targets the built binary with a limited address space, during look-ups. The attack must not change the
// result of a look-up. The duration of look-ups is logged and not asserted, because the machines of tests are noisy.
package abuse

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"roster/client"
	"roster/tests/rostertest"
)

func TestMain(m *testing.M) {
	if status, attacks := attack(); attacks {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// Limits of a server under attack, unless a test sets others.
const (
	addressSpace = 3 << 30 // bytes
	openFiles    = 1024
	memory       = "128MiB" // --memory
)

// server is a roster process that belongs to one test.
type server struct {
	t     *testing.T
	dir   string // the data directory
	root  string // a folder that local connections may use
	flags []string
	space int64 // limit of the address space in bytes
	files int   // limit of open files
	cmd   *exec.Cmd
	log   *lockedBuffer
	c     *client.Client
	token string
}

// start starts a server on an empty data directory. flags are added to those of `roster serve`.
func start(t *testing.T, flags ...string) *server {
	t.Helper()
	if os.Getenv("ROSTER_TEST_ABUSE") == "" {
		t.Skip("set ROSTER_TEST_ABUSE=1 to attack a server; it takes some minutes")
	}
	s := &server{t: t, dir: filepath.Join(t.TempDir(), "data"), root: t.TempDir(), flags: flags, space: addressSpace, files: openFiles, log: &lockedBuffer{}}
	s.open()
	t.Cleanup(func() {
		if s.running() {
			s.stop()
		}
		if t.Failed() {
			t.Logf("log of the server:\n%s", s.log.tail(8<<10))
		}
	})
	return s
}

// open starts the process on its data directory, which may contain data, and waits until it responds.
func (s *server) open() {
	s.t.Helper()
	if err := s.launch(); err != nil {
		s.t.Fatalf("%v\nlog of the server:\n%s", err, s.log.tail(8<<10))
	}
	token, err := s.newToken()
	if err != nil {
		s.t.Fatal(err)
	}
	s.token = token
}

// launch starts the process. Its error states that the process has ended or does not respond.
func (s *server) launch() error {
	args := append([]string{"serve", "--data-dir", s.dir, "--listen", "127.0.0.1:0", "--local-roots", s.root, "--memory", memory,
		"--settle-age", "0s", "--allow-networks", "127.0.0.0/8"}, s.flags...)
	script := fmt.Sprintf(`ulimit -v %d && ulimit -n %d && exec "$0" "$@"`, s.space>>10, s.files)
	s.cmd = exec.Command("/bin/sh", append([]string{"-c", script, rostertest.Binary(s.t)}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	credentials := filepath.Join(s.dir, "credentials.json")
	if err := s.cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	cmd := s.cmd
	go func() { ended <- cmd.Wait() }()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		select {
		case err := <-ended:
			return fmt.Errorf("the server ended at its start: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
		c, err := client.LoadCredentials(credentials)
		if err != nil {
			continue
		}
		address, ok := s.log.address()
		if !ok {
			continue
		}
		c.BaseURL, c.TokenURL = address, address+"/ims/token/v3"
		if resp, err := http.Get(address + "/healthz"); err == nil {
			resp.Body.Close()
			s.c = c
			return nil
		}
	}
	return errors.New("the server does not answer")
}

// running reports whether the process has not ended.
func (s *server) running() bool {
	return s.cmd != nil && s.cmd.Process.Signal(syscall.Signal(0)) == nil
}

// stop asks the process to end and waits for the end.
func (s *server) stop() { s.end(os.Interrupt) }

// kill kills the process.
func (s *server) kill() { s.end(syscall.SIGKILL) }

func (s *server) end(sig os.Signal) {
	s.t.Helper()
	s.cmd.Process.Signal(sig)
	s.ended(time.Minute)
	s.log.forgetAddress()
}

// ended waits until the process has ended.
func (s *server) ended(patience time.Duration) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); s.running(); {
		if time.Now().After(deadline) {
			s.cmd.Process.Kill()
			s.t.Fatal("the server does not end")
		}
		<-time.After(10 * time.Millisecond)
	}
}

func (s *server) newToken() (string, error) {
	resp, err := http.PostForm(s.c.TokenURL, url.Values{"grant_type": {"client_credentials"}, "client_id": {s.c.ClientID}, "client_secret": {s.c.ClientSecret}})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var t client.Token
	return t.AccessToken, json.NewDecoder(resp.Body).Decode(&t)
}

// answer is the response to a call.
type answer struct {
	status int
	header http.Header
	body   string
}

// call sends a request of the administrator. A header pair with an empty value leaves that header out.
func (s *server) call(method, path, body string, headers ...string) answer {
	s.t.Helper()
	a, err := s.try(http.DefaultClient, method, path, strings.NewReader(body), headers...)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// try is call with a given client and body. It returns an error instead of failing the test.
func (s *server) try(h *http.Client, method, path string, body io.Reader, headers ...string) (answer, error) {
	req, err := http.NewRequest(method, s.c.BaseURL+path, body)
	if err != nil {
		return answer{}, err
	}
	pairs := append([]string{"Authorization", "Bearer " + s.token, "x-api-key", s.c.ClientID, "x-gw-ims-org-id", s.c.Org, "x-sandbox-name", s.c.Sandbox,
		"Content-Type", "application/json"}, headers...)
	for i := 0; i+1 < len(pairs); i += 2 {
		req.Header.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			req.Header.Del(pairs[i])
		}
	}
	resp, err := h.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, header: resp.Header, body: string(data)}, err
}

// json requires a status and returns the decoded body.
func (a answer) json(t *testing.T, status int) map[string]any {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %.2000s", a.status, status, a.body)
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("the body is not JSON: %v: %.2000s", err, a.body)
	}
	return v
}

const ais = "/data/core/ais/external-audience"

// put writes a file to the folder that local connections may use.
func (s *server) put(name string, content []byte) {
	s.t.Helper()
	path := filepath.Join(s.root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
		s.t.Fatal(err)
	}
}

// connect creates a connection to that folder and returns its id.
func (s *server) connect() string {
	s.t.Helper()
	body := fmt.Sprintf(`{"name":"files %d","connectionSpec":{"id":"6c1f0c0e-5d0a-4f0e-9a57-0d6f7c1b2a10","version":"1.0"},"auth":{"specName":"none","params":{"root":%q}}}`,
		time.Now().UnixNano(), s.root)
	return s.call("POST", "/data/foundation/flowservice/connections", body).json(s.t, 201)["id"].(string)
}

// submit creates an audience from a file or folder of the connection, with fields as JSON, and returns its id.
func (s *server) submit(connection, name, path, kind, fields string) string {
	s.t.Helper()
	body := fmt.Sprintf(`{"name":%q,"originName":"CUSTOM_UPLOAD","fields":%s,"sourceSpec":{"path":%q,"type":%q,"sourceType":"Cloud Storage","baseConnectionId":%q}}`,
		name, fields, path, kind, connection)
	task := s.call("POST", ais+"/submit", body).json(s.t, 200)["taskId"].(string)
	v := s.poll(ais + "/task/" + task)
	if v["status"] != "SUCCESS" {
		s.t.Fatalf("task: %v", v)
	}
	return v["audienceId"].(string)
}

// run starts a run, waits for its end and returns it.
func (s *server) run(audience, body string) map[string]any {
	s.t.Helper()
	id := s.call("POST", ais+"/"+audience+"/run", body).json(s.t, 200)["runId"].(string)
	return s.poll(ais + "/" + audience + "/run/" + id)
}

// poll reads a task or a run until it has ended.
func (s *server) poll(path string) map[string]any {
	s.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; {
		v := s.call("GET", path, "").json(s.t, 200)
		if v["status"] != "PROCESSING" {
			return v
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s did not end: %v", path, v)
		}
		<-time.After(20 * time.Millisecond)
	}
}

const mailOnly = `[{"name":"email","type":"string","identityNs":"email"}]`

// members creates an audience of n people, member0@example.com and so on, for look-ups during an attack.
func (s *server) members(n int) {
	s.t.Helper()
	var b bytes.Buffer
	b.WriteString("email\n")
	for i := range n {
		fmt.Fprintf(&b, "member%d@example.com\n", i)
	}
	s.put("bystanders.csv", b.Bytes())
	if r := s.run(s.submit(s.connect(), "bystanders", "bystanders.csv", "file", mailOnly), `{}`); r["status"] != "SUCCESS" {
		s.t.Fatalf("run: %v", r)
	}
}

// lookUps looks people up at 500 a second, members and strangers in turn, until the returned function is called. That
// function fails the test if a response was wrong or missing, and logs how long the responses took.
func (s *server) lookUps(members int) (end func()) {
	s.t.Helper()
	const perSecond, callers, atLeast = 500, 8, 100
	ctx, cancel := context.WithCancel(s.t.Context())
	h := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}, Timeout: 30 * time.Second}
	var mu sync.Mutex
	var took []time.Duration
	var wrong []string
	var wg sync.WaitGroup
	ticks := make(chan int, callers)
	wg.Go(func() {
		defer close(ticks)
		tick := time.NewTicker(time.Second / perSecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			select {
			case ticks <- i:
			case <-ctx.Done():
				return
			}
		}
	})
	for range callers {
		wg.Go(func() {
			for i := range ticks {
				id, want := fmt.Sprintf("member%d@example.com", i%members), http.StatusOK
				if i%2 == 1 {
					id, want = fmt.Sprintf("stranger%d@example.com", i), http.StatusNotFound
				}
				began := time.Now()
				a, err := s.try(h, "GET", "/data/core/ups/access/entities?schema.name=_xdm.context.profile&entityIdNS=email&entityId="+url.QueryEscape(id), http.NoBody)
				d := time.Since(began)
				mu.Lock()
				took = append(took, d)
				if err != nil || a.status != want || want == http.StatusOK && !strings.Contains(a.body, `"realized"`) {
					wrong = append(wrong, fmt.Sprintf("%s: status %d, want %d: %v", id, a.status, want, err))
				}
				mu.Unlock()
			}
		})
	}
	return func() {
		s.t.Helper()
		for enough := false; !enough && ctx.Err() == nil; <-time.After(10 * time.Millisecond) {
			mu.Lock()
			enough = len(took) >= atLeast
			mu.Unlock()
		}
		cancel()
		wg.Wait()
		h.CloseIdleConnections()
		slices.Sort(took)
		s.t.Logf("%d look-ups beside: p50 %v, p99 %v, longest %v; peak memory of the server %d MiB", len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1], s.peak()>>20)
		if len(wrong) > 0 {
			s.t.Errorf("%d of %d look-ups are wrong, such as %s", len(wrong), len(took), wrong[0])
		}
	}
}

// peak returns the maximum memory of the process so far in bytes, 0 if the process has ended.
func (s *server) peak() int64 { return s.status("VmHWM:") }

// resident returns the current memory of the process in bytes.
func (s *server) resident() int64 { return s.status("VmRSS:") }

// forgetPeak resets peak.
func (s *server) forgetPeak() {
	s.t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.cmd.Process.Pid), []byte("5"), 0o600); err != nil {
		s.t.Log("the peak of memory goes on counting:", err)
	}
}

func (s *server) status(key string) int64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}

// lockedBuffer keeps the output of a process.
type lockedBuffer struct {
	mu   sync.Mutex
	text []byte
	from int // where the output of the current process begins
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	return len(p), nil
}

func (b *lockedBuffer) tail(n int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text[max(0, len(b.text)-n):])
}

func (b *lockedBuffer) forgetAddress() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.from = len(b.text)
}

// address returns the URL that the current process printed.
func (b *lockedBuffer) address() (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines := bufio.NewScanner(bytes.NewReader(b.text[b.from:]))
	for lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "Roster runs at "); ok {
			return rest, true
		}
	}
	return "", false
}
