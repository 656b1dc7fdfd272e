package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"roster/client"
	"roster/internal/app"
	"roster/tests/rostertest"
)

// command prepares a call of the binary in its own directory, in an environment with only one ROSTER_ variable.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), rostertest.Binary(t), args...)
	cmd.Dir = t.TempDir()
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ROSTER_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "ROSTER_SETTLE_AGE=0s") // the files of the tests are complete at once
	return cmd
}

// finish runs a command and returns its exit code.
func finish(t *testing.T, cmd *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

func TestCommandUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "people.csv")
	writeFile(t, file, "mail,points\nada@example.com,1\n")
	data := filepath.Join(dir, "data")
	for _, c := range []struct {
		args    string
		code    int
		mention string
	}{
		{"version", 0, "roster "},
		{"help", 0, "demo"},
		{"frobnicate", 2, "frobnicate"},
		{"serve --no-such-flag", 2, "no-such-flag"},
		{"serve extra", 2, ""},
		{"serve --memory 3", 2, "--memory"},
		{"serve --config " + file + ".absent", 2, "--config"},
		{"import", 2, ""},
		{"import FILE --identity mail=Email", 2, "--name"},
		{"import FILE --name x", 2, "--identity"},
		{"import FILE --name x --identity nope=Email", 2, "points"},
		{"import FILE --name x --identity mail", 2, "COLUMN=NAMESPACE"},
		{"import FILE --name x --identity mail=Email --field points=decimal", 2, "decimal"},
		{"import FILE --name x --identity mail=Email --full --changes", 2, "--changes"},
		{"import FILE --name x --identity mail=Email --server http://127.0.0.1:1", 2, "--credentials"},
		{"import FILE --name x --identity mail=Emial --data-dir DATA", 2, "--create-namespace"},
		{"import FILE --name x --identity mail=Email --ttl 91 --data-dir DATA", 3, "ttlInDays"},
		{"import FILE --name x --identity mail=Email --express-activation --data-dir DATA", 2, "second --identity"},
		{"import FILE --name x --identity mail=Email --express-activation --dry-run --data-dir DATA", 2, "second --identity"},
		{"import FILE.absent --name x --identity mail=Email", 2, "FILE.absent"},
	} {
		words := strings.NewReplacer("FILE", file, "DATA", data)
		code, stdout, stderr := finish(t, command(t, strings.Fields(words.Replace(c.args))...))
		if code != c.code || !strings.Contains(stdout+stderr, words.Replace(c.mention)) {
			t.Errorf("roster %s: exit %d, want %d and %q: %s%s", c.args, code, c.code, c.mention, stdout, stderr)
		}
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	for range 2 { // a second demonstration on the same data chooses another name
		code, stdout, stderr := finish(t, command(t, "demo", "--exit", "--data-dir", dir))
		if code != 0 || !regexp.MustCompile(`All \d+ checks`).MatchString(stdout) {
			t.Fatalf("exit %d: %s%s", code, stdout, stderr)
		}
	}
}

// imported is the part of import's JSON document that the tests check.
type imported struct {
	AudienceID      string
	Created         bool
	Resumed         bool
	AlreadyImported bool
	Fields          []client.Field
	Run             *client.Run
	DryRun          *struct{ RowsRead, RowsRejected int64 }
	Error           *struct {
		ExitCode int
		Message  string
	}
}

// runImport runs import with --json.
func runImport(t *testing.T, args ...string) (int, imported) {
	t.Helper()
	code, stdout, stderr := finish(t, command(t, append([]string{"import", "--json"}, args...)...))
	var v imported
	if err := json.Unmarshal([]byte(stdout), &v); err != nil {
		t.Fatalf("exit %d, and standard output is not one JSON document: %v: %s%s", code, err, stdout, stderr)
	}
	return code, v
}

func TestImport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, data := filepath.Join(dir, "people.csv"), filepath.Join(dir, "data")
	args := []string{file, "--name", "people", "--identity", "mail=email", "--field", "points=long", "--data-dir", data}
	check := func(what string, code int, v imported, rows client.Rows, after int64) {
		t.Helper()
		if code != 0 || v.Run == nil || v.Run.Status != client.Success || *v.Run.Rows != rows || v.Run.Members.After != after {
			t.Errorf("%s: exit %d, %+v", what, code, v)
		}
	}
	writeFile(t, file, "mail,points\nada@example.com,1\nbob@example.com,2\n")
	code, v := runImport(t, args...)
	check("first", code, v, client.Rows{Read: 2, Added: 2}, 2)
	code, v = runImport(t, args...)
	check("unchanged file", code, v, client.Rows{Read: 2, Added: 2}, 2)
	if !v.AlreadyImported || v.Created {
		t.Errorf("unchanged file: %+v", v)
	}
	writeFile(t, file, "mail,points\nada@example.com,7\ncleo@example.com,3\ncleo@example.com,x\n")
	if code, v = runImport(t, args...); code != 2 || v.Error == nil || !strings.Contains(v.Error.Message, "--full") {
		t.Errorf("neither full nor changes: exit %d, %+v", code, v)
	}
	if code, v = runImport(t, append(args, "--changes")...); code != 4 || v.Run.Status != client.Failed || !strings.Contains(v.Run.Error.Detail, "1 of 3 rows") {
		t.Errorf("a third of rejects: exit %d, %+v", code, v)
	}
	if code, v = runImport(t, append(args, "--changes", "--dry-run")...); code != 4 { // the guard would stop the run
		t.Errorf("dry run: exit %d", code)
	}
	if check("dry run", 0, v, client.Rows{Read: 3, Rejected: 1, Added: 1, Updated: 1}, 3); !v.Run.DryRun || len(v.Run.Changes) != 2 {
		t.Errorf("a dry run: %+v", v.Run)
	}
	code, v = runImport(t, append(args, "--changes", "--force")...)
	check("changes", code, v, client.Rows{Read: 3, Rejected: 1, Added: 1, Updated: 1}, 3)
	code, v = runImport(t, append(args, "--full", "--max-rejected", "50")...)
	check("full", code, v, client.Rows{Read: 3, Rejected: 1, Unchanged: 2}, 2)
	writeFile(t, file, "mail,points\nada@example.com,x\n")
	if code, v = runImport(t, append(args, "--full")...); code != 4 || v.Run.Status != client.Failed || v.Run.Error == nil {
		t.Errorf("all rows rejected: exit %d, %+v", code, v)
	}
	writeFile(t, file, "mail,points\nada@example.com,7\n")
	code, v = runImport(t, append(args, "--changes", "--ttl", "45")...)
	check("another ttl", code, v, client.Rows{Read: 1, Unchanged: 1}, 2)
	writeFile(t, file, "mail,points,tier\nada@example.com,1,gold\n")
	code, v = runImport(t, append(args, "--full")...)
	if check("another column", code, v, client.Rows{Read: 1, Updated: 1}, 1); fmt.Sprint(v.Run.Files[0].ExtraColumns) != "[tier]" {
		t.Errorf("the column is not told: %+v", v.Run.Files)
	}
	creds, err := app.ReadCredentials(app.CredentialsPath(data))
	if err != nil || creds.BaseURL != "http://127.0.0.1:8080" {
		t.Errorf("the credentials have %s, not the address of roster serve: %v", creds.BaseURL, err)
	}
}

// TestImportCutOff stops an import during its run, with SIGKILL and with Ctrl-C. The same command then completes the
// run.
func TestImportCutOff(t *testing.T) {
	t.Parallel()
	const people = 300_000
	for sig, code := range map[os.Signal]int{syscall.SIGKILL: -1, syscall.SIGINT: 130} {
		t.Run(fmt.Sprint(sig), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "people.csv")
			writeFile(t, file, manyPeople(people))
			args := []string{"import", file, "--name", "people", "--identity", "mail=Email", "--data-dir", filepath.Join(dir, "data")}
			if got := cutOff(t, command(t, args...), "Created the audience", sig); got != code {
				t.Errorf("the import was cut off with exit code %d, want %d", got, code)
			}
			code, v := runImport(t, args[1:]...)
			if code != 0 || v.Created || v.Run == nil || v.Run.Members.After != people || *v.Run.Rows != (client.Rows{Read: people, Added: people}) {
				t.Errorf("exit %d: %+v", code, v)
			}
		})
	}
}

// cutOff sends a signal to a command as soon as it prints a line that begins with mark.
func cutOff(t *testing.T, cmd *exec.Cmd, mark string, sig os.Signal) int {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), mark) {
			_ = cmd.Process.Signal(sig)
		}
	}
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// serving is a server process.
type serving struct {
	*exec.Cmd
	url  string
	data string
}

func serve(t *testing.T) *serving {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	cmd := command(t, "serve", "--data-dir", data, "--listen", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err, cmd.Wait())
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return &serving{Cmd: cmd, url: strings.TrimSpace(strings.TrimPrefix(line, "Roster runs at ")), data: data}
}

// TestDrain stops a server during an upload. The server refuses new connections, completes the upload, and exits with
// code 0.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c, err := client.LoadCredentials(app.CredentialsPath(s.data))
	if err != nil {
		t.Fatal(err)
	}
	body, feed := io.Pipe()
	uploaded := make(chan error, 1)
	go func() {
		_, err := c.Upload(t.Context(), "people.csv", body)
		uploaded <- err
	}()
	if _, err := feed.Write([]byte("mail\n")); err != nil { // returns when the request has begun
		t.Fatal(err)
	}
	waitUntil(t, "the upload has begun", func() bool {
		begun, _ := filepath.Glob(filepath.Join(s.data, "landing", ".uploads", "*", "piece-*"))
		return len(begun) > 0
	})
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "new connections are refused", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	if _, err := feed.Write([]byte("ada@example.com\n")); err != nil {
		t.Fatal(err)
	}
	feed.Close()
	if err := <-uploaded; err != nil {
		t.Error("the upload in flight:", err)
	}
	if err := s.Wait(); err != nil {
		t.Error("serve ended with", err)
	}
	got, err := os.ReadFile(filepath.Join(s.data, "landing", "prod", "people.csv"))
	if err != nil || string(got) != "mail\nada@example.com\n" {
		t.Errorf("the upload arrived as %q, %v", got, err)
	}
}

// TestImportThroughServer imports into the data directory of a running server, and through the server's address.
func TestImportThroughServer(t *testing.T) {
	t.Parallel()
	s := serve(t)
	file := filepath.Join(t.TempDir(), "people.csv")
	writeFile(t, file, "iata,points\nOSL,1\nARN,2\n")
	code, v := runImport(t, file, "--name", "airports", "--identity", "iata=IATA", "--create-namespace", "--data-dir", s.data)
	if code != 0 || !v.Created || v.Run.Members.After != 2 {
		t.Errorf("by the data directory: exit %d, %+v %+v", code, v, v.Error)
	}
	writeFile(t, file, "iata,points\nOSL,1\nCPH,2\n")
	code, v = runImport(t, file, "--name", "airports", "--identity", "iata=iata", "--full", "--server", s.url, "--credentials", app.CredentialsPath(s.data))
	if code != 0 || v.Created || v.Run.Members.After != 2 || v.Run.Members.Removed != 1 {
		t.Errorf("by the address: exit %d, %+v %+v", code, v, v.Error)
	}
	if code, v = runImport(t, file, "--name", "x", "--identity", "iata=IATA", "--server", "http://127.0.0.1:1", "--credentials", app.CredentialsPath(s.data)); code != 1 || v.Error == nil {
		t.Errorf("no server: exit %d, %+v", code, v)
	}
	code, _, stderr := finish(t, command(t, "serve", "--data-dir", s.data, "--listen", "127.0.0.1:0"))
	if code != 1 || !strings.Contains(stderr, fmt.Sprint("process ", s.Process.Pid)) {
		t.Errorf("a second server: exit %d, %s", code, stderr)
	}
}

// TestReady reads the endpoints about the server itself.
func TestReady(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for path, mention := range map[string]string{"/healthz": "", "/readyz": "", "/metrics": "go_goroutines", "/openapi.yaml": "openapi:"} {
		resp, err := http.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), mention) {
			t.Errorf("%s: %d, %v", path, resp.StatusCode, err)
		}
	}
}

func waitUntil(t *testing.T, what string, happened func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !happened() {
		select {
		case <-ctx.Done():
			t.Fatal("waited in vain until ", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
