-- Erasures that go together have one leader, which has their common progress; '' until a worker takes the erasure up.
ALTER TABLE erasures ADD COLUMN leader TEXT NOT NULL DEFAULT '';
CREATE INDEX erasures_led ON erasures (leader, created_at, id);
-- The versions of audiences that erasures have removed. They stay when the audience is deleted, because certificates list them.
CREATE TABLE dropped_versions (
  audience_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  snapshot_id BIGINT NOT NULL,
  committed_at BIGINT NOT NULL,
  leader TEXT NOT NULL,
  PRIMARY KEY (audience_id, run_id)
);
CREATE INDEX dropped_versions_by_leader ON dropped_versions (leader, audience_id);
