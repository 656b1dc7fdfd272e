package interop

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"roster/tests/rostertest"
)

// sparkProcess is the one Spark of the tests. A JVM is too slow to start and too large for one per test.
var sparkProcess struct {
	sync.Mutex
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers *bufio.Reader
	err     error
}

// TestMain stops Spark after the tests.
func TestMain(m *testing.M) {
	code := m.Run()
	if p := &sparkProcess; p.cmd != nil {
		_ = p.in.Close()
		_ = p.cmd.Wait()
	}
	os.Exit(code)
}

// sparkRow is one row that Spark answered, by column.
type sparkRow map[string]any

// sparkSQL runs a statement of Spark SQL on the table of an audience, which the statement names as {table}. Procedures of
// Iceberg (CALL roster.system.rewrite_data_files('{name}')) take the name {name}, which lacks the catalog.
func sparkSQL(t *testing.T, dataDir, audienceID, statement string) (rows []sparkRow) {
	t.Helper()
	answer := askSpark(t, dataDir, audienceID, "sql", statement)
	if err := json.Unmarshal(answer, &rows); err != nil {
		t.Fatalf("%v\n%s", err, answer)
	}
	return rows
}

// sparkPython runs Python in Spark's process, in which spark is the session and jvm gives the classes of Java. {table} and {name} are as in
// sparkSQL. What it assigns to result is returned as JSON.
func sparkPython(t *testing.T, dataDir, audienceID, source string) json.RawMessage {
	t.Helper()
	return askSpark(t, dataDir, audienceID, "python", source)
}

// needSpark skips a test where Spark is not installed.
func needSpark(t *testing.T) (python string) {
	t.Helper()
	python = os.Getenv("ROSTER_TEST_SPARK")
	if python == "" {
		t.Skip("set ROSTER_TEST_SPARK to a Python with pyspark, in whose folder jars lie those that CONTRIBUTING.md names, to run this test")
	}
	return python
}

func askSpark(t *testing.T, dataDir, audienceID, kind, text string) json.RawMessage {
	t.Helper()
	python := needSpark(t)
	namespace := filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(rostertest.Metadata(t, dataDir, audienceID)))))
	name := namespace + ".`" + audienceID + "`"
	text = strings.NewReplacer("{table}", "roster."+name, "{name}", name).Replace(text)
	request, err := json.Marshal(map[string]string{"database": filepath.Join(dataDir, "catalog.db"), kind: text})
	if err != nil {
		t.Fatal(err)
	}
	p := &sparkProcess
	p.Lock()
	defer p.Unlock()
	if p.cmd == nil && p.err == nil {
		p.err = startSpark(python)
	}
	if p.err != nil {
		t.Fatalf("Spark does not run: %v", p.err)
	}
	_, err = p.in.Write(append(request, '\n'))
	line, readErr := p.answers.ReadBytes('\n')
	var answer struct {
		Result json.RawMessage
		Error  string
	}
	if err := errors.Join(err, readErr); err != nil {
		p.err = err
		t.Fatalf("Spark ended: %v", err)
	}
	if err := json.Unmarshal(line, &answer); err != nil || answer.Error != "" {
		t.Fatalf("Spark says to %s: %v %s", text, err, answer.Error)
	}
	return answer.Result
}

// startSpark starts the process that TestMain stops. The caller holds the lock.
func startSpark(python string) error {
	p := &sparkProcess
	p.cmd = exec.Command(python, "spark.py")
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	out, outErr := p.cmd.StdoutPipe()
	if err := errors.Join(err, outErr); err != nil {
		return err
	}
	p.in, p.answers = in, bufio.NewReader(out)
	return p.cmd.Start()
}

// TestSparkReads compares what Spark reads after a full run, after a run of changes, and as the first version, with the ledger.
func TestSparkReads(t *testing.T) {
	t.Parallel()
	needSpark(t)
	dir := directory(t)
	data, place := filepath.Join(dir, "data"), filepath.Join(dir, "people.csv")
	for i, mode := range []string{"--full", "--changes"} {
		rostertest.Place(t, people(t, filepath.Join(dir, fmt.Sprint(i, ".csv")), i*2500, 3000+i*100, uint64(i)), place)
		im := rostertest.Import(t, data, place, "mail=Email", "--field", "points=long", mode)
		rows := sparkSQL(t, data, im.AudienceID, "SELECT count(*) AS n, count(DISTINCT mail) AS people FROM {table}")
		want := []sparkRow{{"n": float64(im.Run.Members.After), "people": float64(im.Run.Members.After)}}
		if !reflect.DeepEqual(rows, want) {
			t.Errorf("after run %d Spark reads %v, the ledger says %v", i, rows, want)
		}
		id := sparkSQL(t, data, im.AudienceID, "SELECT string(min_by(snapshot_id, committed_at)) AS id FROM {table}.snapshots")[0]["id"]
		first := sparkSQL(t, data, im.AudienceID, fmt.Sprintf("SELECT count(*) AS n FROM {table} VERSION AS OF %s", id))
		if first[0]["n"] != float64(3000) {
			t.Errorf("after run %d Spark reads %v as the first version", i, first)
		}
	}
}
