-- People who are erased from the audiences of a sandbox. The identity is sealed by the program, and there only until the
-- erasure has ended; xid tells it from others without telling what it is.
CREATE TABLE erasures (
  id TEXT PRIMARY KEY,
  org TEXT NOT NULL,
  sandbox TEXT NOT NULL,
  namespace TEXT NOT NULL,
  xid TEXT NOT NULL,
  sealed TEXT NOT NULL,
  status TEXT NOT NULL,
  error TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  ended_at BIGINT NOT NULL,
  progress TEXT NOT NULL,
  version BIGINT NOT NULL
);
CREATE INDEX erasures_list ON erasures (org, sandbox, created_at DESC, id DESC);
CREATE INDEX erasures_unfinished ON erasures (created_at, id) WHERE status = 'PROCESSING';
