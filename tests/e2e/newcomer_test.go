package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"roster/client"
	"roster/internal/app"
)

// newcomer is a new user in an empty folder with an empty home directory, who gives no paths or addresses.
type newcomer struct {
	*testing.T
	dir, home string
	called    map[string]bool // the commands that ran
}

func newNewcomer(t *testing.T) *newcomer {
	t.Parallel()
	return &newcomer{T: t, dir: t.TempDir(), home: t.TempDir(), called: map[string]bool{}}
}

// command prepares a command in the folder.
func (n *newcomer) command(args ...string) *exec.Cmd {
	n.Helper()
	cmd := command(n.T, args...)
	cmd.Dir, cmd.Env = n.dir, append(cmd.Env, "HOME="+n.home, "XDG_CONFIG_HOME=", "XDG_CACHE_HOME=")
	for i := range args {
		n.called[strings.Join(args[:i+1], " ")] = true
	}
	return cmd
}

// run runs a command, which must end with the exit code and mention the texts, and returns its standard output.
func (n *newcomer) run(code int, line string, mentions ...string) string {
	n.Helper()
	got, stdout, stderr := finish(n.T, n.command(strings.Fields(line)...))
	for _, m := range mentions {
		if !strings.Contains(stdout+stderr, m) {
			n.Errorf("roster %s does not say %q:\n%s%s", line, m, stdout, stderr)
		}
	}
	if got != code {
		n.Fatalf("roster %s: exit code %d, want %d:\n%s%s", line, got, code, stdout, stderr)
	}
	return stdout
}

// file writes a file to the folder.
func (n *newcomer) file(name, content string) {
	n.Helper()
	writeFile(n.T, filepath.Join(n.dir, name), content)
}

// commands returns every command that the help lists, below the named one.
func (n *newcomer) commands(parents ...string) (list []string) {
	n.Helper()
	code, help, _ := finish(n.T, command(n.T, append(slices.Clone(parents), "--help")...))
	_, below, found := strings.Cut(help, "Available Commands:\n")
	if code != 0 || !found {
		return []string{strings.Join(parents, " ")}
	}
	for line := range strings.SplitSeq(below, "\n") {
		name, ok := strings.CutPrefix(line, "  ")
		if !ok {
			break
		}
		if name[0] == ' ' {
			continue // continues the previous line
		}
		list = append(list, n.commands(append(slices.Clone(parents), strings.Fields(name)[0])...)...)
	}
	return list
}

// TestEveryCommandHere runs every command without --data-dir in an empty folder.
func TestEveryCommandHere(t *testing.T) {
	n := newNewcomer(t)
	n.file("people.csv", "mail,points\nada@example.com,1\nbob@example.com,2\n")

	var loader app.Credentials
	secret := func(text string) app.Credentials {
		t.Helper()
		if err := json.Unmarshal([]byte(text), &loader); err != nil || loader.ClientID == "" || loader.ClientSecret == "" {
			t.Fatalf("no secret: %v: %s", err, text)
		}
		return loader
	}
	id := secret(n.run(0, "client create loader --access prod=editor")).ClientID
	if old := loader.ClientSecret; secret(n.run(0, "client rotate "+id)).ClientSecret == old || loader.ClientID != id {
		t.Errorf("rotate did not give %s a new secret", id)
	}
	n.run(0, "client list", "loader", "administrator")
	n.run(0, "client grant "+id+" --access prod=viewer", "prod=viewer")
	n.run(0, "client revoke "+id+" --access prod=viewer")
	n.run(0, "client delete "+id)

	n.run(0, "import people.csv --name people --identity mail=Email --receipt receipt.json", "2 members")
	n.run(0, "verify receipt.json", "VALID")
	n.run(0, "audience list", "people")
	n.run(0, "members people", "ada@example.com")
	n.run(0, "rejects people")
	n.run(0, "upload people.csv", "people.csv")
	n.run(0, "check", "0 findings")
	n.run(0, "profile rebuild", "1 audiences")
	n.run(0, "secrets rotate")
	n.run(0, "secrets replace-lost", "No key is lost")
	n.run(0, "audience delete people", "2 members")
	n.run(0, "version", "roster ")
	n.run(0, "demo --exit", "checks")
	n.file("new.key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n")
	if err := os.Chmod(filepath.Join(n.dir, "new.key"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.run(0, "secrets rewrap --to-master-key-file new.key", "new master key")

	serve := n.command("serve", "--listen", "127.0.0.1:0", "--master-key-file", "new.key")
	if code := cutOff(t, serve, "Credentials:", syscall.SIGTERM); code != 0 {
		t.Errorf("serve: exit code %d", code)
	}
	for _, c := range n.commands() {
		if !n.called[c] && c != "help" && !strings.HasPrefix(c, "completion") {
			t.Errorf("roster %s was not tried", c)
		}
	}
	if left, err := os.ReadDir(n.home); err != nil || len(left) > 0 {
		t.Errorf("the home has %v, %v", left, err)
	}
}

// TestRotateOwnSecret replaces the secret of the client that commands of a data directory use. The commands still work.
func TestRotateOwnSecret(t *testing.T) {
	n := newNewcomer(t)
	n.run(0, "client create other --access prod=viewer")
	var admin client.APIClient
	for line := range strings.Lines(n.run(0, "client list --json")) {
		if err := json.Unmarshal([]byte(line), &admin); err != nil || admin.Name == "administrator" {
			break
		}
	}
	n.run(0, "client rotate "+admin.ClientID+" --overlap 0")
	n.run(0, "client list", "administrator")
}

// TestSecretIsNotLost creates a client whose secret cannot be written to the file. The client must not exist
// afterwards, because nobody has its secret.
func TestSecretIsNotLost(t *testing.T) {
	n := newNewcomer(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	defer full.Close()
	cmd := n.command("client", "create", "loader", "--access", "prod=viewer")
	cmd.Stdout = full
	if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
	}
	if list := n.run(0, "client list"); strings.Contains(list, "loader") {
		t.Errorf("the client stays:\n%s", list)
	}
	bad := filepath.Join(n.dir, "roster-data", "credentials.json")
	if err := os.WriteFile(bad+".moved", []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.run(2, "client create loader --access prod=viewer --server http://127.0.0.1:1 --credentials "+bad+".moved", "not a credentials file")
}
