-- Incomplete uploads by ranges. Their parts are objects of the byte store of the landing zones.
CREATE TABLE uploads (
  id TEXT PRIMARY KEY,
  org TEXT NOT NULL,
  sandbox TEXT NOT NULL,
  name TEXT NOT NULL,      -- path of the file in the landing zone
  size BIGINT NOT NULL,    -- bytes of the whole file
  sha256 TEXT NOT NULL,    -- hexadecimal; '' if the client sent none
  received BIGINT NOT NULL, -- bytes in the parts
  updated_at BIGINT NOT NULL,
  UNIQUE (org, sandbox, name)
);
CREATE INDEX uploads_by_time ON uploads (updated_at);
CREATE TABLE upload_parts (
  upload_id TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
  first BIGINT NOT NULL,   -- offset in the file
  bytes BIGINT NOT NULL,
  object TEXT NOT NULL,
  PRIMARY KEY (upload_id, first)
);
CREATE INDEX upload_parts_by_object ON upload_parts (object);
-- Bytes of a quota that uploads in progress reserve.
CREATE TABLE quota_holds (
  id TEXT PRIMARY KEY,
  org TEXT NOT NULL,
  sandbox TEXT NOT NULL,
  name TEXT NOT NULL,
  bytes BIGINT NOT NULL,
  begun BIGINT NOT NULL,   -- begun and ended order the holds of a sandbox; ended is 0 while the upload is in progress
  ended BIGINT NOT NULL,
  measuring BOOLEAN NOT NULL,
  lease_until BIGINT NOT NULL
);
CREATE INDEX quota_holds_in ON quota_holds (org, sandbox);
