package servertest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// GPG is GnuPG with its own keys.
type GPG struct {
	t       testing.TB
	program string
	home    string
}

// NewGPG returns GnuPG without keys.
func NewGPG(t testing.TB) *GPG {
	t.Helper()
	g := &GPG{t: t, program: program(t, "ROSTER_TEST_GPG", "GnuPG")}
	// The path of the agent's socket may have 107 bytes, and the temporary directories of tests are longer.
	home, err := os.MkdirTemp("", "gpg-")
	if err != nil {
		t.Fatal(err)
	}
	g.home = home
	t.Cleanup(func() {
		_ = exec.Command(filepath.Join(filepath.Dir(g.program), "gpgconf"), "--homedir", home, "--kill", "gpg-agent").Run()
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	return g
}

// Run runs GnuPG with a text as its input and returns its output.
func (g *GPG) Run(in []byte, args ...string) []byte {
	g.t.Helper()
	cmd := exec.Command(g.program, append([]string{"--homedir", g.home, "--batch", "--yes", "--no-tty", "--quiet", "--pinentry-mode", "loopback", "--trust-model", "always"}, args...)...)
	var out, log bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &log
	if err := cmd.Run(); err != nil {
		g.t.Fatalf("gpg %s: %v\n%s", strings.Join(args, " "), err, log.String())
	}
	return out.Bytes()
}

// NewKey creates a key for signing, of a kind such as ed25519, and returns its armoured public part.
func (g *GPG) NewKey(name, kind, expires string) string {
	g.t.Helper()
	g.Run(nil, "--passphrase", "", "--quick-generate-key", name, kind, "sign", expires)
	return string(g.Run(nil, "--armor", "--export", name))
}
