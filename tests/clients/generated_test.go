package clients

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	contract "roster/api"
)

// TestGenerated follows docs/CLIENTS.md: it generates clients from openapi.yaml, compiles them and uses them. The commands of the page
// fetch the generators from their registries.
func TestGenerated(t *testing.T) {
	t.Parallel()
	if os.Getenv("ROSTER_TEST_GENERATORS") == "" {
		t.Skip("set ROSTER_TEST_GENERATORS=1 to generate clients in other languages; it needs node, npm, python3, java, javac, mvn and their registries, and takes two minutes")
	}
	page, err := os.ReadFile("../../docs/CLIENTS.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, section := range strings.Split(string(page), "\n## ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		sections[title] = text
	}
	s := servePlain(t)
	s.land("lists/loyal.csv", "mail,tier\nada@example.com,gold\n")
	for title, c := range map[string]struct{ program, code, made string }{
		// made is what the generated code has for an operation.
		"TypeScript":                {"use.ts", "roster.ts", `    ID: \{`},
		"Python":                    {"use.py", "roster/api", `^SNAKE\.py:`},
		"Go":                        {"main.go", "roster", `func \(c \*Client\) CAPITAL(WithBody)?\(`},
		"Java, and other languages": {"", "roster-java/src/main/java", ` ID\(`},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			w := newWorkshop(t, s)
			out := w.follow(sections[title], c.program)
			if c.program != "" && !strings.HasSuffix(out, "SUCCESS 1 realized\n") {
				t.Errorf("the program has not found the member:\n%s", out)
			}
			w.complete(out, c.code, c.made)
			if c.program == "" {
				w.others()
			}
		})
	}
}

// workshop is a folder in which a client is made.
type workshop struct {
	t   *testing.T
	dir string
	env []string
}

func newWorkshop(t *testing.T, s *server) *workshop {
	w := &workshop{t: t, dir: t.TempDir()}
	w.write("openapi.yaml", string(contract.OpenAPI))
	text, err := os.ReadFile(filepath.Join(s.dir, "credentials.json"))
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		OrgID        string `json:"org_id"`
		Sandbox      string `json:"sandbox"`
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	}
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	w.env = append(os.Environ(), "ROSTER_URL=http://"+s.address, "ROSTER_CLIENT_ID="+c.ClientID, "ROSTER_CLIENT_SECRET="+c.ClientSecret, "ROSTER_ORG_ID="+c.OrgID, "ROSTER_SANDBOX="+c.Sandbox,
		"JDK_JAVA_OPTIONS=-XX:TieredStopAtLevel=1") // short runs: less time for the compiler
	return w
}

func (w *workshop) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// sh runs commands and returns what they print.
func (w *workshop) sh(commands string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), "sh", "-ec", commands)
	cmd.Dir, cmd.Env = w.dir, w.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%v\n%s\n%s", err, commands, out)
	}
	return string(out)
}

var block = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

// follow runs the commands of a section, one block after the other, and writes the program that stands between them. It returns what
// is printed.
func (w *workshop) follow(section, program string) string {
	w.t.Helper()
	var out strings.Builder
	for _, found := range block.FindAllStringSubmatch(section, -1) {
		if found[1] == "sh" {
			out.WriteString(w.sh(found[2]))
		} else {
			w.write(program, found[2])
		}
	}
	if out.Len() == 0 {
		w.t.Fatal("docs/CLIENTS.md has no commands here")
	}
	return out.String()
}

var capitals = regexp.MustCompile("([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])")

// complete checks that a generator has left out nothing: of each operation the code has what made says, with ID, CAPITAL or SNAKE
// in the place of its operationId. A line of a file is looked for with the file's name before it.
func (w *workshop) complete(out, code, made string) {
	w.t.Helper()
	for _, word := range []string{"will not be generated", "has resulted in the removal", " ERROR "} {
		if strings.Contains(out, word) {
			w.t.Errorf("the generator leaves something out:\n%s", out)
			return
		}
	}
	var text strings.Builder
	err := filepath.WalkDir(filepath.Join(w.dir, code), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		text.WriteString(d.Name() + ":\n")
		text.Write(content)
		text.WriteString("\n")
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, id := range w.operations() {
		snake := strings.ToLower(capitals.ReplaceAllString(id, "${1}${3}_${2}${4}"))
		pattern := strings.NewReplacer("ID", id, "CAPITAL", strings.ToUpper(id[:1])+id[1:], "SNAKE", snake).Replace(made)
		if !regexp.MustCompile("(?m)" + pattern).MatchString(text.String()) {
			w.t.Errorf("the client has no operation %s: nothing is like %s", id, pattern)
		}
	}
}

// operations are the operationIds.
func (w *workshop) operations() (ids []string) {
	w.t.Helper()
	var doc struct {
		Paths map[string]map[string]yaml.Node
	}
	if err := yaml.Unmarshal(contract.OpenAPI, &doc); err != nil {
		w.t.Fatal(err)
	}
	for _, item := range doc.Paths {
		for method, node := range item {
			var op struct {
				OperationID string `yaml:"operationId"`
			}
			if method == "parameters" || method == "servers" {
				continue
			}
			if err := node.Decode(&op); err != nil {
				w.t.Fatal(err)
			}
			ids = append(ids, op.OperationID)
		}
	}
	return ids
}

// others makes openapi-generator's clients in Python and in Go, too, and compiles them.
func (w *workshop) others() {
	w.t.Run("Python", func(t *testing.T) {
		t.Parallel()
		w := &workshop{t: t, dir: w.dir, env: w.env}
		out := w.sh("java -jar openapi-generator-cli-*.jar generate --generator-name python --input-spec openapi.yaml --output other-python")
		w.complete(out, "other-python/openapi_client/api", `def SNAKE\(`)
		w.sh("cd other-python && " + python(t) + " -c 'import openapi_client.api'")
	})
	w.t.Run("Go", func(t *testing.T) {
		t.Parallel()
		w := &workshop{t: t, dir: w.dir, env: w.env}
		out := w.sh("java -jar openapi-generator-cli-*.jar generate --generator-name go --input-spec openapi.yaml --output other-go")
		w.complete(out, "other-go", `func \(a \*\w+\) CAPITAL\(`)
		w.sh("cd other-go && go mod tidy && go build ./...")
	})
}
