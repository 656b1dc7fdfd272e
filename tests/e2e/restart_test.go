package e2e

import (
	"bufio"
	"bytes"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"roster/internal/app"
)

// TestServerRestarts kills the server during an import that follows a run, and starts it again at the same address.
func TestServerRestarts(t *testing.T) {
	n := newNewcomer(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	data := filepath.Join(t.TempDir(), "data")
	start := func() *exec.Cmd {
		t.Helper()
		cmd := command(t, "serve", "--data-dir", data, "--listen", address)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err == nil {
			_, err = bufio.NewReader(out).ReadString('\n')
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return cmd
	}
	server := start()
	const people = 300_000
	n.file("people.csv", manyPeople(people))
	cmd := n.command("import", "people.csv", "--name", "people", "--identity", "mail=Email", "--server", "http://"+address, "--credentials", app.CredentialsPath(data))
	var shown bytes.Buffer
	cmd.Stderr = &shown
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if strings.HasPrefix(lines.Text(), "Created the audience") {
			_ = server.Process.Signal(syscall.SIGKILL)
			_ = server.Wait()
			refuse(t, address, 4)
			server = start()
		}
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(text.String(), "has 300,000 members") {
		t.Errorf("%v\n%s%s", err, text.String(), shown.String())
	}
	if !strings.Contains(shown.String(), "does not answer") || !strings.Contains(shown.String(), "answers again") {
		t.Errorf("the outage is not told: %s", shown.String())
	}
	n.run(1, "members people --server http://127.0.0.1:1 --credentials "+app.CredentialsPath(data), "Check that a server runs there")
}

// refuse closes a number of connections to an address, because a server may restart before its client retries.
func refuse(t *testing.T, address string, times int) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for range times {
		c, err := l.Accept()
		if err != nil {
			t.Fatal("nobody asks: ", err)
		}
		c.Close()
	}
}
