package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestSeedByCurl runs the command lines of the seed document with curl, as testdata has them. It replaces only the
// host, the credentials and the sample ids, and adds a backslash that the document lacks at the end of a line.
func TestSeedByCurl(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("install %s to run the lines of the seed", program)
		}
	}
	lines, err := os.ReadFile(filepath.Join("testdata", "seed-curl.txt"))
	if err != nil {
		t.Fatal(err)
	}
	calls := strings.Split(regexp.MustCompile(`([^\\])\n (-[Hd] )`).ReplaceAllString(string(lines), "$1 \\\n $2"), "\n\n")
	if len(calls) != 6 {
		t.Fatalf("there are %d calls", len(calls))
	}
	s := start(t)
	s.put("activation/sample-source/example.csv", seedFile)
	sample := map[string]string{"https://platform.adobe.io": s.creds.BaseURL, "{ACCESS_TOKEN}": s.token, "{ORG_ID}": s.creds.OrgID, "{API_KEY}": s.creds.ClientID,
		"{SANDBOX_NAME}": s.creds.Sandbox, "1d1d4bc5-b527-46a3-9863-530246a61b2b": s.connect()}
	do := func(call string) map[string]any {
		t.Helper()
		for text, value := range sample {
			call = strings.ReplaceAll(call, text, value)
		}
		cmd := exec.CommandContext(t.Context(), "bash", "-c", call)
		home := t.TempDir() // its curl configuration sets the output, so that the command lines stay unchanged
		writeFile(t, filepath.Join(home, ".curlrc"), "silent\nshow-error\nwrite-out = \"\\n%{http_code}\"\n")
		cmd.Env = append(os.Environ(), "CURL_HOME="+home)
		out, err := cmd.CombinedOutput()
		body, status, _ := cutLast(strings.TrimSpace(string(out)), "\n")
		code, _ := strconv.Atoi(status)
		if err != nil {
			t.Fatalf("%v: %s\n%s", err, out, call)
		}
		return answer{t: t, call: call, status: code, body: []byte(body)}.ok(200)
	}
	has := func(v map[string]any, properties ...string) {
		t.Helper()
		for _, p := range properties {
			if _, ok := v[p]; !ok {
				t.Errorf("the answer has no %s: %v", p, v)
			}
		}
	}
	submitted := do(calls[0])
	has(submitted, "taskId", "name", "description", "fields", "sourceSpec", "ttlInDays", "labels", "audienceType", "originName", "createdBy", "createdAt")
	sample["df8cd82f-a214-4b72-b549-d6ee23f1ff1a"] = submitted["taskId"].(string)
	s.poll(ais+"/task/"+submitted["taskId"].(string), ended)
	task := do(calls[1])
	if task["status"] != "SUCCESS" {
		t.Fatal(task)
	}
	sample["60ccea95-1435-4180-97a5-58af4aa285ab"] = task["audienceId"].(string)
	if patched := do(calls[2]); patched["description"] != "New sample description" {
		t.Error(patched)
	}
	started := do(calls[3])
	has(started, "name", "audienceId", "runId", "differentialIngestion", "dataFilterStartTime", "dataFilterEndTime")
	sample["fb342311-725d-4b48-ab7d-c6105fbc2b8b"] = started["runId"].(string)
	s.poll(ais+"/"+task["audienceId"].(string)+"/run/"+started["runId"].(string), ended)
	run := do(calls[4])
	has(run, "audienceId", "runId", "differentialIngestion", "dataFilterStartTime", "dataFilterEndTime", "ingestionTime", "details")
	if run["status"] != "SUCCESS" || run["members"].(map[string]any)["after"] != 3.0 {
		t.Error(run)
	}
	if runs := do(calls[5])["runs"].([]any); len(runs) != 1 || compact(runs[0]) != compact(run) {
		t.Error(runs)
	}
}

// cutLast cuts around the last separator.
func cutLast(text, sep string) (before, after string, found bool) {
	i := strings.LastIndex(text, sep)
	if i < 0 {
		return "", text, false
	}
	return text[:i], text[i+len(sep):], true
}
