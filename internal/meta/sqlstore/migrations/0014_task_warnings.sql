-- What a task says of an audience that it created nevertheless.
ALTER TABLE tasks ADD COLUMN warnings TEXT NOT NULL DEFAULT 'null';
-- Why a schedule that was due started no run.
ALTER TABLE audiences ADD COLUMN schedule_note TEXT NOT NULL DEFAULT '';
