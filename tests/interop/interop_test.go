// Package interop reads Roster's tables with other engines.
package interop

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver of the catalog

	"roster/client"
	"roster/tests/rostertest"
	"roster/tests/servertest"
)

// recount is the output of recount.py.
type recount struct {
	Rows, Distinct, Expected, Wrong, Snapshots, PositionDeletes int
	Polars                                                      int  // rows that Polars' own reader sees
	PolarsSame                                                  bool // the values that it reads are those of pyiceberg
	Records                                                     int  // of the last file
	Types                                                       map[string]string
	RunID                                                       string
}

// read reads an audience's table with pyiceberg and compares it with the files.
func read(t *testing.T, dataDir string, im rostertest.Imported, identity string, files ...string) recount {
	t.Helper()
	return readAt(t, rostertest.Metadata(t, dataDir, im.AudienceID), im, identity, files...)
}

// readAt does what read does with the table of a metadata file.
func readAt(t *testing.T, metadata string, im rostertest.Imported, identity string, files ...string) recount {
	t.Helper()
	args := append([]string{"recount.py", metadata, identity}, files...)
	cmd := exec.CommandContext(t.Context(), python(t), args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var r recount
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if r.Wrong != 0 || r.Rows != r.Expected || r.Distinct != r.Rows {
		t.Errorf("pyiceberg sees %d rows of %d people, %d of them wrong; the files have %d", r.Rows, r.Distinct, r.Wrong, r.Expected)
	}
	if r.Polars != r.Rows || !r.PolarsSame {
		t.Errorf("Polars sees %d rows, the same as with pyiceberg: %v", r.Polars, r.PolarsSame)
	}
	if int64(r.Records) != im.Run.Rows.Read || im.Run.Rows.Rejected != 0 {
		t.Errorf("the last file has %d records, the ledger says %+v", r.Records, im.Run.Rows)
	}
	if int64(r.Rows) != im.Run.Members.After || r.RunID != im.Run.RunID {
		t.Errorf("pyiceberg sees %d rows of run %s, the ledger says %d of %s", r.Rows, r.RunID, im.Run.Members.After, im.Run.RunID)
	}
	return r
}

// directory returns a new directory whose path has characters that a URI escapes.
func directory(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data of Łódź + 100% others")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func python(t *testing.T) string {
	t.Helper()
	p := os.Getenv("ROSTER_TEST_PYTHON")
	if p == "" {
		t.Skip("set ROSTER_TEST_PYTHON to a Python with tests/interop/requirements.txt to run this test")
	}
	return p
}

// people writes the people from one number up to another, with values of every type that depend on seed. Every 50th
// person has two rows; the last one counts, although the two spell the address differently.
func people(t *testing.T, path string, from, to int, seed uint64) string {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	b.WriteString("mail,full name,city.code,born,score,points,big,ok,seen\n")
	for n := range (to - from) * 51 / 50 {
		i, mail := from+n, "person%d@example.com"
		if i >= to {
			i, mail = from+(n-(to-from))*50, " Person%d@Example.COM "
		}
		name := fmt.Sprintf("N%d", rnd.IntN(1000))
		switch rnd.IntN(10) {
		case 0:
			name = `"Quoted ""` + name + `"", and` + "\n" + `broken"`
		case 1:
			name = ""
		case 2:
			name = "Łukasz Ünïcode 🦉"
		}
		fmt.Fprintf(&b, mail+",%s,C%d,%04d-%02d-%02d,%g,%d,%d,%v,2025-%02d-%02dT%02d:00:00.%06d+02:00\n", i, name, rnd.IntN(20),
			1900+rnd.IntN(120), 1+rnd.IntN(12), 1+rnd.IntN(28), rnd.NormFloat64()*1e6, rnd.Int32(), rnd.Int64(), rnd.IntN(2) == 0, 1+rnd.IntN(12), 1+rnd.IntN(28), rnd.IntN(24), rnd.IntN(1e6))
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFullThenChangesThenFull(t *testing.T) {
	t.Parallel()
	python(t)
	dir := directory(t)
	data := filepath.Join(dir, "data")
	a := people(t, filepath.Join(dir, "a.csv"), 0, 30_000, 1)
	b := people(t, filepath.Join(dir, "b.csv"), 25_000, 31_000, 2)
	c := people(t, filepath.Join(dir, "c.csv"), 100, 30_500, 1)
	place := filepath.Join(dir, "people.csv")
	load := func(file, mode string) rostertest.Imported {
		t.Helper()
		rostertest.Place(t, file, place)
		return rostertest.Import(t, data, place, "mail=Email", "--field", "points=long", "--field", "score=number", "--field", "big=long", mode)
	}

	first := load(a, "--full")
	r := read(t, data, first, "mail", "full="+a)
	types := map[string]string{"mail": "string", "full name": "string", "city.code": "string", "born": "date", "score": "double", "points": "long", "big": "long", "ok": "boolean", "seen": "timestamptz"}
	if !reflect.DeepEqual(r.Types, types) {
		t.Errorf("types %v", r.Types)
	}
	second := load(b, "--changes")
	if r := read(t, data, second, "mail", "full="+a, "changes="+b); r.PositionDeletes == 0 || r.Snapshots != 2 {
		t.Errorf("%+v", r)
	}
	third := load(c, "--full")
	read(t, data, third, "mail", "full="+c)
}

// TestBucket keeps the tables in an object store.
func TestBucket(t *testing.T) {
	python(t)
	root, dir := t.TempDir(), directory(t)
	if err := os.Mkdir(filepath.Join(root, "lake"), 0o700); err != nil {
		t.Fatal(err)
	}
	endpoint := "http://" + servertest.VersityGWOf(t, root, "key-of-the-test", "secret-of-the-test")
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "key-of-the-test", "AWS_SECRET_ACCESS_KEY": "secret-of-the-test", "S3_ENDPOINT": endpoint,
		"ROSTER_LAKE_URL": "s3://lake/" + url.PathEscape("data of Łódź + 100% others") + "?endpoint=" + endpoint} {
		t.Setenv(name, value)
	}
	data, place := filepath.Join(dir, "data"), filepath.Join(dir, "people.csv")
	var files []string
	for i, from := range []int{0, 2900, 3050} { // so few changes start no compaction
		mode := "changes"
		if i == 0 {
			mode = "full"
		}
		file := people(t, filepath.Join(dir, fmt.Sprint(i, ".csv")), from, 3000+i*100, uint64(i))
		files = append(files, mode+"="+file)
		rostertest.Place(t, file, place)
		im := rostertest.Import(t, data, place, "mail=Email", "--field", "points=long", "--field", "score=number", "--field", "big=long", "--"+mode)
		db, err := sql.Open("sqlite", "file:"+url.PathEscape(filepath.Join(data, "catalog.db")))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var metadata string
		if err := db.QueryRowContext(t.Context(), "SELECT metadata_location FROM iceberg_tables").Scan(&metadata); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(metadata, "s3://lake/data of Łódź + 100% others/") {
			t.Errorf("the metadata is %s", metadata)
		}
		if r := readAt(t, metadata, im, "mail", files...); r.Snapshots != i+1 || i > 0 && r.PositionDeletes == 0 {
			t.Errorf("%+v", r)
		}
	}
	if lake, err := os.ReadDir(filepath.Join(data, "lake")); err == nil && len(lake) > 0 {
		t.Errorf("the data directory has %v", lake)
	}
}

// TestRealData imports third-party tables, with a custom namespace.
func TestRealData(t *testing.T) {
	t.Parallel()
	python(t)
	vega := os.Getenv("ROSTER_TEST_VEGA_DIR")
	if vega == "" {
		t.Skip("set ROSTER_TEST_VEGA_DIR to the data folder of npm's vega-datasets to run this test")
	}
	for _, table := range []struct {
		file, identity string
		types          map[string]string
	}{
		{"airports.csv", "iata", map[string]string{"iata": "string", "name": "string", "city": "string", "state": "string", "country": "string", "latitude": "double", "longitude": "double"}},
		{"zipcodes.csv", "zip_code", nil},
		{"birdstrikes.csv", "Airport Name", nil}, // many rows per identity: the last one counts
		{"flights-airport.csv", "origin", nil},
		{"sp500-2000.csv", "date", nil},
		{"lookup_people.csv", "name", map[string]string{"name": "string", "age": "long", "height": "long"}},
	} {
		t.Run(table.file, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(vega, table.file)
			data := filepath.Join(directory(t), "data")
			im := rostertest.Import(t, data, path, table.identity+"=Vega", "--create-namespace", "--full")
			r := read(t, data, im, table.identity, "full="+path)
			if table.types != nil && !reflect.DeepEqual(r.Types, table.types) {
				t.Errorf("types %v", r.Types)
			}
		})
	}
}

// TestReceipt counts the dataset that each run's receipt names, although later runs have changed the audience.
func TestReceipt(t *testing.T) {
	t.Parallel()
	python(t)
	dir := directory(t)
	data, place := filepath.Join(dir, "data"), filepath.Join(dir, "people.csv")
	var runs []rostertest.Imported
	for i, mode := range []string{"--full", "--changes", "--full"} {
		rostertest.Place(t, people(t, filepath.Join(dir, fmt.Sprint(i, ".csv")), i*100, 3000-i*50, uint64(i)), place)
		runs = append(runs, rostertest.Import(t, data, place, "mail=Email", "--field", "points=long", mode, "--receipt", filepath.Join(dir, fmt.Sprint(i, ".json"))))
	}
	for i, im := range runs {
		receipt := filepath.Join(dir, fmt.Sprint(i, ".json"))
		cmd := exec.CommandContext(t.Context(), python(t), "receipt.py", rostertest.Metadata(t, data, im.AudienceID), receipt)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var counted struct {
			Located bool
			Rows    int64
			Sum     string
		}
		var signed struct{ Receipt client.Receipt }
		text, err := os.ReadFile(receipt)
		if err := errors.Join(err, json.Unmarshal(text, &signed), json.Unmarshal(out, &counted)); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if r := signed.Receipt; !counted.Located || counted.Rows != r.Members.After || counted.Sum != r.ContentSum.Value || r.RunID != im.Run.RunID {
			t.Errorf("run %d: pyiceberg sees %+v, the receipt says %+v", i, counted, r)
		}
	}
}

// TestCatalog finds the dataset through the SQL catalog as another engine does, after each of two runs.
func TestCatalog(t *testing.T) {
	t.Parallel()
	python(t)
	dir := directory(t)
	data, place := filepath.Join(dir, "data"), filepath.Join(dir, "people.csv")
	for i, rows := range []int{300, 200} {
		rostertest.Place(t, people(t, filepath.Join(dir, fmt.Sprint(i, ".csv")), 0, rows, uint64(i)), place)
		im := rostertest.Import(t, data, place, "mail=Email", "--full")
		cmd := exec.CommandContext(t.Context(), python(t), "catalog.py", filepath.Join(data, "catalog.db"))
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var tables []struct {
			Location string
			Rows     int64
		}
		if err := json.Unmarshal(out, &tables); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if len(tables) != 1 || tables[0].Rows != im.Run.Members.After || !strings.HasSuffix(tables[0].Location, rostertest.Metadata(t, data, im.AudienceID)) {
			t.Errorf("after run %d the catalog has %+v; the run left %d members", i, tables, im.Run.Members.After)
		}
	}
}
