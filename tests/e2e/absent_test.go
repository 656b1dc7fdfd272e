package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoDataDir runs every command without a data directory. Only commands that begin something create one.
func TestNoDataDir(t *testing.T) {
	n := newNewcomer(t)
	n.file("people.csv", "mail,points\nada@example.com,1\n")
	n.file("new.key", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n")
	dir := filepath.Join(n.dir, "roster-data")
	absent := "no data directory at " + dir + "; name one with --data-dir"
	reads := map[string]string{ // the arguments of each; all are refused
		"audience delete": "people", "audience list": "", "check": "", "client delete": "x", "client grant": "x --access prod=viewer",
		"client list": "", "client revoke": "x --access prod=viewer", "client rotate": "x", "members": "people", "profile rebuild": "",
		"rejects": "people", "secrets replace-lost": "", "secrets rewrap": "--to-master-key-file new.key", "secrets rotate": "", "verify": "people.csv",
	}
	makes := map[string]bool{"client create": true, "demo": true, "import": true, "serve": true, "upload": true, "help": true, "version": true}
	for _, c := range n.commands() {
		args, reading := reads[c]
		switch {
		case reading:
			n.run(2, strings.TrimSpace(c+" "+args), absent)
		case !makes[c] && !strings.HasPrefix(c, "completion"):
			t.Errorf("roster %s is not in this test", c)
		}
		if left, err := os.ReadDir(n.dir); err != nil || len(left) != 2 {
			t.Fatalf("roster %s leaves %v, %v", c, left, err)
		}
	}
	n.run(0, "import people.csv --name people --identity mail=Email --dry-run", "dry run")
	n.run(2, "import absent.csv --name people --identity mail=Email")
	n.run(2, "import people.csv --name people --identity mail=Nobody", "--create-namespace")
	if err := os.RemoveAll(dir); err != nil { // which the search for the namespace created
		t.Fatal(err)
	}
	if left, err := os.ReadDir(n.dir); err != nil || len(left) != 2 {
		t.Errorf("a dry run leaves %v, %v", left, err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	n.file("roster-data/notes.txt", "not Roster's")
	n.run(2, "members people", absent)
	if err := os.Remove(filepath.Join(dir, "notes.txt")); err != nil {
		t.Fatal(err)
	}
	n.run(2, "members people", absent)
}

// TestMistakes runs commands with wrong names, flags and addresses.
func TestMistakes(t *testing.T) {
	n := newNewcomer(t)
	n.file("people.csv", "mail,points\nada@example.com,1\n")
	n.file("creds.json", "{}")
	for _, c := range []struct{ line, mention string }{
		{"imprt people.csv", "did you mean import?"},
		{"imprt people.csv --name people", "did you mean import?"},
		{"audience lst", `unknown command "lst" for "roster audience"; did you mean list?`},
		{"audience lst --json", "did you mean list?"},
		{"client frobnicate", "its commands are create, delete, grant"},
		{"secrets rotat", "did you mean rotate?"},
		{"profile rebuilt", "did you mean rebuild?"},
		{"help frobnicate", "frobnicate"},
		{"help audience lst", "did you mean list?"},
		{"import people.csv --nmae people", "did you mean --name?"},
		{"import people.csv --frobnicate people", "see roster import --help"},
		{"members", "see roster members --help"},
		{"members people --server localhost:8080 --credentials creds.json", "did you mean http://localhost:8080?"},
		{"members people --server host:1 --credentials creds.json", "did you mean http://host:1?"},
		{"members people --server 127.0.0.1:1", "did you mean http://127.0.0.1:1?"},
		{"members people --server roster.example.com --credentials creds.json", "did you mean http://roster.example.com?"},
		{"import people.csv --name people --server http:/host --credentials creds.json", "did you mean http://host?"},
		{"upload people.csv --server http:// --credentials creds.json", "names no host"},
		{"verify people.csv --server ftp://host", "ftp://"},
		{"client list --server http://host:port --credentials creds.json", "is not an address"},
		{"client list --server http://me@host --credentials creds.json", "no user"},
		{"client list --server http://host", "--server needs --credentials"},
		{"client list --credentials creds.json", "--credentials needs --server"},
		{"client list --server http://host --credentials creds.json", "not a credentials file"},
		{"import people.csv --name people --identity mail=Email --server http://host --credentials creds.json", "not a credentials file"},

		// A file that does not exist.
		{"import absent.csv --name people", "absent.csv: no such file"},
		{"import . --name people", ". is a folder"},
		{"upload absent.csv", "absent.csv: no such file"},
		{"verify absent.json --jwks creds.json", "absent.json: no such file"},
		{"verify people.csv --jwks absent.json", "absent.json: no such file"},
		{"members people --server http://host --credentials absent.json", "absent.json: no such file"},
		{"serve --config absent.yaml", "absent.yaml: no such file"},
		{"serve --tls-cert absent.pem --tls-key absent.pem", "absent.pem: no such file"},
		{"serve --master-key-file absent.key", "absent.key: no such file"},
		{"serve --metrics-token-file absent.token", "absent.token: no such file"},
	} {
		n.run(2, c.line, c.mention)
	}
	if _, err := os.Stat(filepath.Join(n.dir, "roster-data")); err == nil {
		t.Error("a mistake has made a data directory")
	}
	for _, line := range []string{"--version", "-v", "version"} {
		n.run(0, line, "roster ", "commit ", "date ", "go1.")
	}
	n.run(0, "audience", "Available Commands")
	n.run(0, "help audience list", "roster audience list")
}

// TestAudienceNames finds audiences whose names contain each other or differ only in letter case.
func TestAudienceNames(t *testing.T) {
	n := newNewcomer(t)
	for i, name := range []string{"people", "People", "peopl", "people of Oslo %", "PEOPLE"} {
		n.file("people.csv", "mail\n"+strings.Repeat("x", i+1)+"@example.com\n")
		code, _, stderr := finish(t, n.command("import", "people.csv", "--name", name, "--identity", "mail=Email"))
		if code != 0 {
			t.Fatalf("%s: exit code %d: %s", name, code, stderr)
		}
	}
	for name, member := range map[string]string{"people": "x@", "People": "xx@", "peopl": "xxx@", "people of Oslo %": "xxxx@", "PEOPLE": "xxxxx@"} {
		code, stdout, stderr := finish(t, n.command("members", name, "--format", "csv", "--fields", "mail"))
		if code != 0 || !strings.Contains(stdout, "\n"+member) {
			t.Errorf("%s: exit code %d: %s%s", name, code, stdout, stderr)
		}
	}
	n.run(2, "members pEOPLE", `did you mean "PEOPLE"?`)
	n.run(2, "rejects peop", `there is no audience "peop"; roster audience list`)
	n.run(2, "audience delete eople", `there is no audience "eople"`)
}
