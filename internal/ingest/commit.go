package ingest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strconv"
	"time"

	"roster/internal/audience"
	"roster/internal/lake"
)

// Entries of a run's snapshot summary.
const (
	propSeq      = "roster.run-seq"
	propAudience = "roster.audience-id"
	propMode     = "roster.mode"        // full, differential, rollback, extend, erase, adopt, or compaction
	propTime     = "roster.run-time"    // epoch seconds; the time stamp of the run's members
	propRows     = "roster.rows"        // the ledger of rows, JSON
	propMembers  = "roster.members"     // the ledger of members, JSON
	propManifest = "roster.manifest"    // the files, JSON; only in snapshots of earlier versions of Roster
	propContent  = "roster.content-sum" // RunResult.ContentSum, decimal
	propResult   = "roster.result"      // location of the whole result, a storedResult in JSON
	propDelta    = "roster.delta"       // location of the delta, JSON
	propStage    = "roster.stage"       // counts of the stage, JSON; only of earlier versions of Roster
)

// storedResult is the content of a run's result file. It is not part of the snapshot's summary, because every later
// version of the table's metadata repeats the summary.
type storedResult struct {
	audience.RunResult
	Stage audience.StageMetrics `json:"datasetStage"`
}

// committedRun is a run whose snapshot was committed.
type committedRun struct {
	result      audience.RunResult
	stage       audience.StageMetrics
	at          time.Time
	delta       delta
	refreshedAt int64
}

// apply copies the results to the run's record.
func (c *committedRun) apply(r *audience.Run) {
	r.Result = c.result
	for i := range r.Stages {
		if st := &r.Stages[i]; st.Stage == audience.StageDataset {
			st.Status = audience.Success
			st.Metrics = c.stage
			st.EndedAt = c.at
			if st.StartedAt.IsZero() {
				st.StartedAt = c.at
			}
		}
	}
}

// endDryRun ends a dry run. It returns the changes that the run would make, and stores nothing.
func (a *attempt) endDryRun(m *merged, result *audience.RunResult) (*committedRun, error) {
	done := &committedRun{result: *result, at: a.p.Clock(), stage: a.stageMetrics(m, result)}
	done.stage.OutputRecords, done.stage.OutputFiles = 0, 0
	return done, nil
}

// commit makes the run's snapshot.
func (a *attempt) commit(ctx context.Context, m *merged, result *audience.RunResult) (*committedRun, error) {
	start := time.Now()
	base, err := a.base()
	if err != nil {
		return nil, err
	}
	m.delta.Base = base
	done := &committedRun{result: *result, delta: delta{files: m.delta, dataset: a.dataset}, refreshedAt: m.refreshedAt()}
	done.stage = a.stageMetrics(m, result)
	props, err := a.summary(m, done)
	if err != nil {
		return nil, err
	}
	// This is the last check of the lease. After it, only the snapshot decides.
	a.spec.Run.Progress.Step = "commit"
	if err := a.spec.saveProgress(ctx); err != nil {
		return nil, err
	}
	if m.silent {
		return done, a.commitSilently(ctx, m)
	}
	snap, err := a.dataset.Commit(ctx, lake.Commit{
		Run: a.spec.Run.ID, Live: m.live, Replace: m.rules.replace, Add: m.files, Deletes: m.retired, Doomed: m.doomed, Restore: m.restore, Anew: a.salvaged != nil, Dir: a.dir, Props: props,
	})
	if err != nil {
		return nil, fmt.Errorf("commit the dataset: %w", err)
	}
	done.at = snap.Time
	done.result.SnapshotID = snap.ID
	done.stage.Seconds["commit"] = time.Since(start).Seconds()
	return done, nil
}

func (m *merged) refreshedAt() int64 {
	if m.rules.renew {
		return m.rules.now / 1e6
	}
	return m.rules.expiry.Renewed / 1e6
}

// readResult copies the results of reading the i-th file.
func (a *attempt) readResult(i int, fr *audience.FileResult) {
	if fr.Status != audience.FileRead || i >= len(a.reads) {
		return
	}
	read := &a.reads[i]
	fr.Rows.Read, fr.Rows.Rejected = read.rows.Load(), read.rejected.Load()
	fr.BlankRows, fr.SkippedFiles = read.blanks.Load(), read.header.Skipped
	fr.FilledRows, fr.CommentLines, fr.LikelyEncoding = read.filled.Load(), read.header.Comments, read.likelyEncoding()
	fr.ExtraColumns, fr.MissingColumns = read.header.Extra, read.header.Missing
	if format := read.header.Format; format.Type != "" {
		fr.Format = &format
	}
}

// fillLedger fills the ledger and checks it against itself and against the written rows.
func (a *attempt) fillLedger(m *merged, result *audience.RunResult) error {
	for i, f := range a.files {
		fr := audience.FileResult{PlannedFile: f, Rows: m.tally.files[i]}
		a.readResult(i, &fr)
		if !fr.Rows.Balanced() {
			return fmt.Errorf("the ledger of file %s does not balance (invariant 1): %+v", f.Path, fr.Rows)
		}
		result.Files = append(result.Files, fr)
		result.Rows = result.Rows.Plus(fr.Rows)
	}
	if a.adoption == nil {
		var err error
		if result.Outside, err = adoptedBefore(a.dataset, a.p.Clock()); err != nil {
			return err
		}
	}
	result.Guards, result.Changes, result.ContentSum = a.guards, m.samples, m.content
	if a.salvaged != nil {
		result.Replaced, result.Unreadable = a.salvaged.Damaged, a.salvaged.Lost
	}
	if at := m.refreshedAt(); at > 0 {
		result.RefreshedAt = time.Unix(at, 0).UTC()
	}
	rows := result.Rows
	result.Members = audience.Members{Before: m.stateRows, Removed: m.tally.removed, Expired: m.tally.expired}
	result.Members.After = m.stateRows + rows.Added - rows.Deleted - m.tally.removed - m.tally.expired
	stored := m.nWritten
	if !m.rules.replace {
		stored += m.stateRows - m.nRetired
	}
	if stored != result.Members.After {
		return fmt.Errorf("the ledger says %d members, the dataset would have %d (invariant 2): %+v %+v", result.Members.After, stored, rows, result.Members)
	}
	return nil
}

func (a *attempt) stageMetrics(m *merged, result *audience.RunResult) audience.StageMetrics {
	s := audience.StageMetrics{
		InputBytes: a.inBytes, InputRecords: result.Rows.Read, FailedRecords: result.Rows.Rejected,
		OutputFiles: int64(len(m.files)), OutputRecords: m.nWritten, ScratchBytes: a.scratch, Seconds: a.seconds,
		RowsPerSecond: map[string]float64{},
	}
	for step, seconds := range a.seconds {
		if rows := result.Rows.Read; rows > 0 && seconds > 0 {
			s.RowsPerSecond[step] = math.Round(float64(rows) / seconds)
		}
	}
	for _, f := range m.files {
		s.OutputBytes += f.Bytes
	}
	for _, f := range a.files {
		if f.Status == audience.FileRead {
			s.InputFiles++
		}
	}
	return s
}

// summary writes the run's result file beside the dataset and returns the summary entries of the snapshot.
func (a *attempt) summary(m *merged, done *committedRun) (map[string]string, error) {
	location, err := a.writeResult(storedResult{done.result, done.stage})
	if err != nil {
		return nil, err
	}
	mode := "differential"
	switch {
	case a.adoption != nil:
		mode = modeAdopt
	case m.restore != 0:
		mode = "rollback"
	case m.rules.full:
		mode = "full"
	case m.rules.renew:
		mode = "extend"
	case m.rules.erased != nil:
		mode = "erase"
	}
	props := map[string]string{
		propSeq:      strconv.FormatInt(a.seq, 10),
		propAudience: string(a.spec.Audience.ID),
		propMode:     mode,
		propTime:     strconv.FormatInt(m.rules.now/1e6, 10),
		propContent:  strconv.FormatUint(m.content, 10),
		propResult:   location,
	}
	if keys, err := a.keysAfter(m); err != nil || keys != "" {
		if err != nil {
			return nil, err
		}
		props[propKeys] = keys
	}
	if at := m.refreshedAt(); at > 0 {
		props[lake.PropRefreshed] = strconv.FormatInt(at, 10)
	}
	if a.adoption != nil {
		text, err := json.Marshal(done.result.Outside)
		if err != nil {
			return nil, fmt.Errorf("write the snapshot's summary: %w", err)
		}
		props[propOutside] = string(text)
	}
	for name, v := range map[string]any{propRows: done.result.Rows, propMembers: done.result.Members,
		propDelta: m.delta} {
		text, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("write the snapshot's summary: %w", err)
		}
		props[name] = string(text)
	}
	return props, nil
}

// keysAfter returns the rule of the dataset's keys after the run. A rollback restores the rule of its version. An
// adoption keeps the rule of the members that Roster left.
func (a *attempt) keysAfter(m *merged) (string, error) {
	if a.adoption != nil && !a.adoption.lost {
		return a.adoption.last.Props[propKeys], nil
	}
	if m.restore == 0 {
		return keysOfNow, nil
	}
	then, err := a.dataset.At(m.restore)
	if err != nil {
		return "", err
	}
	snap, _ := then.Current()
	return snap.Props[propKeys], nil
}

func (a *attempt) writeResult(r storedResult) (location string, err error) {
	w, location, err := a.dataset.CreateFile(a.dir, "result.json")
	if err != nil {
		return "", fmt.Errorf("write the run's result: %w", err)
	}
	err = json.NewEncoder(w).Encode(r)
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return "", fmt.Errorf("write the run's result: %w", err)
	}
	return location, nil
}

// readResult reads the result file of a run. If the file is damaged or gone, the result is built from the snapshot,
// which has the ledger but no rejects and no files.
func readResult(d *lake.Dataset, snap lake.Snapshot) ([]byte, error) {
	f, err := d.OpenFile(snap.Props[propResult])
	var text []byte
	if err == nil {
		defer f.Close()
		text, err = io.ReadAll(f)
	}
	if !errors.Is(err, lake.ErrDamaged) && !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	sum, err := strconv.ParseUint(snap.Props[propContent], 10, 64)
	if err != nil {
		return nil, err
	}
	raw := func(name string) json.RawMessage { return json.RawMessage(cmp.Or(snap.Props[name], "null")) }
	return json.Marshal(map[string]any{"rows": raw(propRows), "members": raw(propMembers), "files": raw(propManifest), "contentSum": sum})
}

// loadCommitted reads what a run committed.
func loadCommitted(d *lake.Dataset, snap lake.Snapshot) (*committedRun, error) {
	c := &committedRun{at: snap.Time, delta: delta{dataset: d}}
	text, err := readResult(d, snap)
	if err != nil {
		return nil, fmt.Errorf("read the result of a committed run: %w", err)
	}
	var stored storedResult
	for _, part := range []struct {
		text []byte
		to   any
	}{{text, &stored}, {[]byte(snap.Props[propDelta]), &c.delta.files}, {[]byte(cmp.Or(snap.Props[propStage], "{}")), &stored.Stage}} {
		if err := json.Unmarshal(part.text, part.to); err != nil {
			return nil, fmt.Errorf("read the result of a committed run: %w", err)
		}
	}
	c.result, c.stage = stored.RunResult, stored.Stage
	c.result.SnapshotID = snap.ID
	at, err := snap.RefreshedAt()
	if err != nil {
		return nil, err
	}
	if !at.IsZero() {
		c.refreshedAt = at.Unix()
	}
	return c, nil
}
