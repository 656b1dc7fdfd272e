-- Schedules of audiences. next_run_at is when the schedule is looked at next, at or before 0 when it is not;
-- schedule_tried says which new files it started a run for last.
ALTER TABLE audiences ADD COLUMN schedule TEXT NOT NULL DEFAULT '{}';
ALTER TABLE audiences ADD COLUMN next_run_at BIGINT NOT NULL DEFAULT -62135596800000000;
ALTER TABLE audiences ADD COLUMN schedule_tried TEXT NOT NULL DEFAULT '';
CREATE INDEX audiences_scheduled ON audiences (next_run_at) WHERE next_run_at > 0;
