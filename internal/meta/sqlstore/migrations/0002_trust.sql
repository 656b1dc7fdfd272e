-- Guards, kept rejects and maintenance. The time is that of an audience that was never maintained.
ALTER TABLE audiences ADD COLUMN guards TEXT NOT NULL DEFAULT '{}';
ALTER TABLE audiences ADD COLUMN keep_rejected_rows BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE audiences ADD COLUMN maintained_at BIGINT NOT NULL DEFAULT -62135596800000000;
CREATE INDEX audiences_maintained ON audiences (maintained_at, num);
