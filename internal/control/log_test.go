package control_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ofNobody are the log lines that concern no sandbox, and the places where the log itself is set up.
var ofNobody = regexp.MustCompile(`"swept the profile store"|"more audiences have no dataset|job\.LogAttributes\(ctx\)|cfg\.Log\.With\("organization"`)

// TestLogLinesHaveTenant checks that every log line of the use cases and of the worker has the organization and the
// sandbox.
func TestLogLinesHaveTenant(t *testing.T) {
	t.Parallel()
	var files []string
	for _, dir := range []string{".", "../work", "../connect"} {
		found, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	told := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			told += strings.Count(line, ".logOf(")
			if strings.Contains(line, "cfg.Log.") && !ofNobody.MatchString(line) {
				t.Errorf("%s:%d: a log line does not say whose it is; use logOf: %s", file, i+1, strings.TrimSpace(line))
			}
		}
	}
	if told < 5 {
		t.Errorf("only %d lines were found", told)
	}
}
