// Package upgrade opens data directories that earlier versions wrote, with runs, rejects, an incomplete upload, and a
// run and an erasure in progress (generate.py). The answers are the same as before, and the work in progress completes.
package upgrade

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"roster/client"
	"roster/internal/app"
)

// written is what a version left, and what its server answered.
type written struct {
	Now       int64
	Directory string
	Done      struct {
		Erasure     string
		Certificate any
		Erased      string
		Clients     any
	}
	Before struct {
		Audiences                   map[string]writtenAudience
		Connections, Keys, Webhooks any
	}
	Interrupted struct {
		Audience, Run, Erasure, Erased string
		Half                           struct {
			Path, Text, Digest string
			Sent               int // bytes
		}
	}
}

type writtenAudience struct {
	Audience any
	Runs     []map[string]any // the newest first
	Members  string           // CSV
	Rejects  map[string]string
	Receipts map[string]any
}

func TestUpgrade(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no data directories: ", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var w written
			if err := json.Unmarshal(text, &w); err != nil {
				t.Fatal(err)
			}
			s := open(t, name, w)
			s.finishes(w)
			s.answers(w)
			s.movesFiles()
			s.sameAudiences(w)
			s.goesOn(w)
			s.check()
		})
	}
}

// server is this version running on the data directory of an earlier one.
type server struct {
	t     *testing.T
	cfg   app.Config
	creds app.Credentials
	token string
	ahead atomic.Int64 // time that the clock has advanced, besides the time that has passed
}

// open unpacks a data directory at its original path, starts a server on it with the clock at the original time, and
// ends both with the test. The path is the same for all tests on the machine, so they wait for each other.
func open(t *testing.T, name string, w written) *server {
	t.Helper()
	home := filepath.Dir(w.Directory)
	if err := os.MkdirAll(filepath.Dir(home), 0o700); err != nil {
		t.Fatal(err)
	}
	lock := flock.New(home + ".lock")
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(os.RemoveAll(home), lock.Unlock()); err != nil {
			t.Error(err)
		}
	})
	if err := os.RemoveAll(home); err != nil {
		t.Fatal(err)
	}
	unpack(t, filepath.Join("testdata", name+".tar.gz"), home)

	offset := time.Until(time.Unix(w.Now, 0))
	s := &server{t: t, cfg: app.Config{DataDir: w.Directory, Listen: "127.0.0.1:0", Memory: 64 << 20, SettleAge: new(time.Duration),
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}}
	s.cfg.Clock = func() time.Time { return time.Now().Add(offset + time.Duration(s.ahead.Load())) }
	a, err := app.New(t.Context(), s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.creds, err = app.ReadCredentials(app.CredentialsPath(w.Directory)); err != nil {
		t.Fatal(err)
	}
	s.logIn()
	return s
}

// logIn gets a token.
func (s *server) logIn() {
	s.t.Helper()
	resp, err := http.PostForm(s.creds.TokenURL, url.Values{"grant_type": {"client_credentials"}, "client_id": {s.creds.ClientID}, "client_secret": {s.creds.ClientSecret}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil || token.AccessToken == "" {
		s.t.Fatalf("token: %s, %v", resp.Status, err)
	}
	s.token = token.AccessToken
}

// unpack unpacks a compressed archive of folders and files.
func unpack(t *testing.T, archive, to string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	plain, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(plain); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(to, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o700)
		} else {
			var text []byte
			if text, err = io.ReadAll(files); err == nil {
				err = errors.Join(os.WriteFile(path, text, 0o600), os.Chtimes(path, h.ModTime, h.ModTime))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

const ais = "/data/core/ais/external-audience"

// ask calls the server and returns the text of its answer, which must be a success.
func (s *server) ask(method, path, body string, headers ...string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.creds.BaseURL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	headers = append([]string{"Authorization", "Bearer " + s.token, "x-api-key", s.creds.ClientID, "x-gw-ims-org-id", s.creds.OrgID,
		"x-sandbox-name", s.creds.Sandbox, "Content-Type", "application/json"}, headers...)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %s, %v", method, path, resp.Status, text, err)
	}
	return string(text)
}

// get reads a JSON document.
func (s *server) get(path string) (out any) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.ask("GET", path, "")), &out); err != nil {
		s.t.Fatal(path, err)
	}
	return out
}

// ended waits until a run or an erasure has ended SUCCESS, and returns it.
func (s *server) ended(path string) map[string]any {
	s.t.Helper()
	for {
		v := s.get(path).(map[string]any)
		switch v["status"] {
		case "SUCCESS":
			return v
		case "PROCESSING":
			time.Sleep(20 * time.Millisecond)
		default:
			s.t.Fatalf("%s ended %v", path, v)
		}
	}
}

// finishes waits for the work in progress.
func (s *server) finishes(w written) {
	s.t.Helper()
	left := w.Interrupted
	s.restored(w.Before.Audiences[left.Audience].Runs[1], s.ended(ais+"/"+left.Audience+"/run/"+left.Run))
	s.ended("/roster/erasures/" + left.Erasure)

	half := left.Half
	last := s.ask("PUT", "/landing/"+half.Path, half.Text[half.Sent:], "Content-Type", "application/octet-stream", "Repr-Digest", half.Digest,
		"Content-Range", fmt.Sprintf("bytes %d-%d/%d", half.Sent, len(half.Text)-1, len(half.Text)))
	if !strings.Contains(last, `"sha256"`) {
		s.t.Errorf("the incomplete upload: %s", last)
	}
}

// answers repeats the requests of the earlier version.
func (s *server) answers(w written) {
	s.t.Helper()
	s.sameAudiences(w)
	s.holds("certificate", w.Done.Certificate, s.get("/roster/erasures/"+w.Done.Erasure+"/certificate"))
	s.holds("clients", w.Done.Clients, s.get("/roster/clients"))
	s.holds("connections", w.Before.Connections, s.get("/data/foundation/flowservice/connections"))
	s.holds("keys", w.Before.Keys, s.get("/data/foundation/connectors/encryption/keys"))
	s.holds("webhooks", w.Before.Webhooks, s.get("/roster/webhooks"))
}

// sameAudiences repeats the requests about audiences.
func (s *server) sameAudiences(w written) {
	s.t.Helper()
	for id, a := range w.Before.Audiences {
		path := ais + "/" + id
		s.holds(path, a.Audience, s.get(path), "audienceMeta")
		for _, r := range a.Runs {
			s.holds("run of "+path, r, s.get(path+"/run/"+r["runId"].(string)))
		}
		for run, want := range a.Rejects {
			if got := s.ask("GET", path+"/runs/"+run+"/rejects", "", "Accept", "text/csv"); got != want {
				s.t.Errorf("rejects of %s: %s\nwere %s", run, got, want)
			}
		}
		for run, want := range a.Receipts {
			s.holds("receipt of "+run, want, s.get(path+"/runs/"+run+"/receipt"))
		}
		if id != w.Interrupted.Audience {
			s.sameMembers(w, id)
		}
	}
}

// sameMembers lists the members of an audience and looks them up.
func (s *server) sameMembers(w written, id string) {
	s.t.Helper()
	got, want := s.members(s.ask("GET", ais+"/"+id+"/members?limit=1000", "", "Accept", "text/csv")), s.members(w.Before.Audiences[id].Members)
	delete(want, w.Interrupted.Erased)
	if len(got) != len(want) {
		s.t.Errorf("%s: %d members, were %d", id, len(got), len(want))
	}
	for member, row := range want {
		s.holds("member of "+id, row, got[member])
		namespace := "email"
		if !strings.Contains(member, "@") {
			namespace = "Shop"
		}
		profile := s.ask("GET", "/data/core/ups/access/entities?schema.name=_xdm.context.profile&entityId="+url.QueryEscape(member)+"&entityIdNS="+namespace, "")
		if !strings.Contains(profile, id) || !strings.Contains(profile, `"realized"`) {
			s.t.Fatalf("%s: %s is not found: %s", id, member, profile)
		}
	}
}

// members reads a list of members, keyed by the first column.
func (s *server) members(text string) map[string]any {
	s.t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		s.t.Fatal(err)
	}
	members := map[string]any{}
	for _, row := range rows[1:] {
		values := map[string]any{}
		for i, v := range row {
			values[rows[0][i]] = v
		}
		members[row[0]] = values
	}
	return members
}

// holds reports which parts of an earlier answer are missing. An answer may have more members of objects, and some
// members may change.
func (s *server) holds(what string, before, now any, changes ...string) {
	s.t.Helper()
	switch b := before.(type) {
	case map[string]any:
		n, _ := now.(map[string]any)
		for k, v := range b {
			if !slices.Contains(changes, k) {
				s.holds(what+", "+k, v, n[k])
			}
		}
	case []any:
		n, _ := now.([]any)
		if len(n) != len(b) {
			s.t.Errorf("%s: %v, was %v", what, now, before)
			return
		}
		for i := range b {
			s.holds(fmt.Sprint(what, " ", i), b[i], n[i])
		}
	default:
		if before != now {
			s.t.Errorf("%s: %v, was %v", what, now, before)
		}
	}
}

// movesFiles lets a day pass. Then maintenance moves the files of earlier runs out of the tables' directories.
func (s *server) movesFiles() {
	s.t.Helper()
	inside := func() []string {
		list, err := filepath.Glob(filepath.Join(s.cfg.DataDir, "lake", "*", "????????-????-????-????-????????????", "roster", "*"))
		if err != nil {
			s.t.Fatal(err)
		}
		return list
	}
	if len(inside()) == 0 {
		s.t.Error("no files of runs lie in a table's directory")
	}
	s.ahead.Store(int64(25 * time.Hour))
	for len(inside()) > 0 {
		time.Sleep(20 * time.Millisecond)
	}
	s.logIn()
}

// goesOn rolls an audience back to an earlier version.
func (s *server) goesOn(w written) {
	s.t.Helper()
	for id, a := range w.Before.Audiences {
		if a.Audience.(map[string]any)["name"] != "People" {
			continue
		}
		var back client.StartedRun
		if err := json.Unmarshal([]byte(s.ask("POST", ais+"/"+id+"/runs/"+a.Runs[1]["runId"].(string)+"/rollback", "")), &back); err != nil {
			s.t.Fatal(err)
		}
		s.restored(a.Runs[1], s.ended(ais+"/"+id+"/run/"+back.RunID))
	}
}

// restored checks that a rollback restored the result of a run.
func (s *server) restored(run, rollback map[string]any) {
	s.t.Helper()
	s.holds("members after a rollback", run["members"].(map[string]any)["after"], rollback["members"].(map[string]any)["after"])
	s.holds("content after a rollback", run["contentSum"], rollback["contentSum"])
}

// check runs the check of the whole data directory.
func (s *server) check() {
	s.t.Helper()
	found, err := app.Check(s.t.Context(), s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range found.Findings {
		s.t.Errorf("%+v", f)
	}
}
