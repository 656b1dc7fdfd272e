// Package corpus imports files as people send them, each with its expected members and rejects. A case is a folder of
// testdata: the files, the audience that reads them, and the expected result as text.
package corpus

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"roster/internal/audience"
	"roster/internal/blob/local"
	"roster/internal/ingest"
	"roster/internal/survey"
	"roster/tests/ingesttest"
)

var update = flag.Bool("update", false, "write the result of each case to its want.txt")

// sample is a case, as its audience.json describes it.
type sample struct {
	About            string           `json:"about"`  // what is unusual, and the rule that applies
	Fields           []audience.Field `json:"fields"` // if empty, the proposed fields and the proposed format
	SourceSpec       sourceSpec       `json:"sourceSpec"`
	Guards           audience.Guards  `json:"guards"`
	KeepRejectedRows bool             `json:"keepRejectedRows"`
	Runs             []run            `json:"runs"` // if empty, one full run of all files
}

type sourceSpec struct {
	Path   string           `json:"path"` // a file; "" for the folder files
	Format *audience.Format `json:"format"`
}

type run struct {
	Folder       string `json:"folder"` // folder of the case with the run's files; "" for the case's own
	Differential bool   `json:"differentialIngestion"`
	DryRun       bool   `json:"dryRun"`
	Force        bool   `json:"force"`
}

// TestCorpus runs every case and compares the result with its want.txt. Each run is audited: its ledger balances, for
// each file and in total, and agrees with the dataset and the rejects file.
func TestCorpus(t *testing.T) {
	t.Parallel()
	engines := ingesttest.Open(t)
	folders, err := filepath.Glob(filepath.Join("testdata", "*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			compare(t, filepath.Join(folder, "want.txt"), play(t, engines, folder))
		})
	}
}

// play does the runs of a case and describes the result.
func play(t *testing.T, engines *ingesttest.Engines, folder string) string {
	t.Helper()
	s := readSample(t, filepath.Join(folder, "audience.json"))
	var text strings.Builder
	spec := audience.SourceSpec{Path: "files", Type: audience.PathFolder, Format: s.SourceSpec.Format}
	if s.SourceSpec.Path != "" {
		spec.Path, spec.Type = s.SourceSpec.Path, audience.PathFile
	}
	if len(s.Fields) == 0 {
		found := propose(t, folder, spec)
		if s.Fields = found.Fields; found.Proposed != nil {
			f := spec.FormatOf().With(*found.Proposed)
			spec.Format = &f
		}
		describeSurvey(&text, found)
	}
	a := engines.Audience(t, audience.Audience{Fields: s.Fields, Source: spec, Guards: s.Guards, KeepRejectedRows: s.KeepRejectedRows})
	for _, r := range s.Runs {
		a.Now = a.Now.Add(time.Hour)
		done := a.Run(filepath.Join(folder, r.Folder), audience.RunRequest{Differential: r.Differential, DryRun: r.DryRun, Force: r.Force})
		describeRun(&text, r, done, a.Rejects(done))
	}
	describeMembers(&text, a)
	return text.String()
}

// propose returns the fields and the format that a survey of the case's files proposes.
func propose(t *testing.T, folder string, spec audience.SourceSpec) survey.Result {
	t.Helper()
	store, err := local.OpenConfined(folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &ingest.Pipeline{Clock: time.Now}
	found, err := p.Survey(t.Context(), survey.Request{Source: store, Spec: spec, Rows: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func readSample(t *testing.T, path string) sample {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var s sample
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if s.About == "" {
		t.Fatalf("%s does not say what the case is about", path)
	}
	if len(s.Runs) == 0 {
		s.Runs = []run{{}}
	}
	return s
}

// compare compares a result with the expected text, or writes it.
func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the result of the case differs from %s; check it against the rules and update the file with -update\n--- want\n%s\n--- got\n%s", path, want, got)
	}
}
