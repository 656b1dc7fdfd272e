-- What became of the files of a run. There may be a hundred thousand, so that they lie apart from the run's result: lists of runs
-- take them only when there are few.
CREATE TABLE run_files (
  run_id TEXT PRIMARY KEY REFERENCES runs (id),
  files TEXT NOT NULL
);
