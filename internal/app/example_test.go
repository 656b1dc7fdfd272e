package app

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// exampleLine is a setting in the sample configuration, perhaps behind a #, with its value.
var exampleLine = regexp.MustCompile(`(?m)^(# )?([a-z0-9]+(?:-[a-z0-9]+)*):(?: +([^ #\n]+))?(?: +#.*)?$`)

// TestExampleConfiguration loads the sample configuration, as it is and each example in it. Every setting stands in it: with its
// default, or behind a # when it has none.
func TestExampleConfiguration(t *testing.T) {
	t.Parallel()
	const example = "../../docs/roster.example.yaml"
	load := func(file string) {
		t.Helper()
		if _, err := Load(nil, func(string) (string, bool) { return "", false }, file); err != nil {
			t.Error(err)
		}
	}
	load(example)
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, line := range exampleLine.FindAllStringSubmatch(string(text), -1) {
		aside, name, value := line[1] != "", line[2], line[3]
		if _, twice := values[name]; twice || aside != (defaultOf(name) == "") {
			t.Errorf("%s stands twice, or wrongly behind a #", name)
		}
		values[name] = value
		if name == "tls-cert" || name == "tls-key" || name == "local-roots" {
			continue // whose files and folders are not here
		}
		file := filepath.Join(t.TempDir(), "roster.yaml")
		if err := os.WriteFile(file, []byte(name+": "+value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		load(file)
	}
	for _, s := range Settings() {
		if value, ok := values[s.Name]; !ok || s.Default != "" && value != s.Default {
			t.Errorf("%s is not in the sample configuration with its default %q: %q", s.Name, s.Default, value)
		}
	}
}

func defaultOf(name string) string {
	for _, s := range Settings() {
		if s.Name == name {
			return s.Default
		}
	}
	return ""
}
