-- How far each run that goes on has come. It lies apart from the run, so that a checkpoint writes one short row.
CREATE TABLE run_progress (
  run_id TEXT PRIMARY KEY,
  step TEXT NOT NULL,
  bytes_done BIGINT NOT NULL,
  bytes_total BIGINT NOT NULL,
  rows_read BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
ALTER TABLE runs DROP COLUMN progress;
