CREATE TABLE organizations (
  org TEXT PRIMARY KEY
);

CREATE TABLE sandboxes (
  num {{serial}},
  id TEXT NOT NULL UNIQUE,
  org TEXT NOT NULL REFERENCES organizations (org),
  name TEXT NOT NULL,
  title TEXT NOT NULL,
  type TEXT NOT NULL,
  is_default {{bool}} NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (org, name)
);

CREATE TABLE clients (
  id TEXT PRIMARY KEY,
  org TEXT NOT NULL REFERENCES organizations (org),
  name TEXT NOT NULL,
  secret_hash {{blob}} NOT NULL,
  roles TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE connections (
  id TEXT PRIMARY KEY,
  org TEXT NOT NULL,
  sandbox TEXT NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  doc TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (org, sandbox, name_key)
);
CREATE INDEX connections_list ON connections (org, sandbox, created_at, id);

CREATE TABLE namespaces (
  num {{serial}},
  org TEXT NOT NULL,
  code TEXT NOT NULL,
  code_key TEXT NOT NULL,
  doc TEXT NOT NULL,
  UNIQUE (org, code_key)
);

-- Names and custom ids that tasks and audiences hold in their sandbox.
CREATE TABLE names (
  org TEXT NOT NULL,
  sandbox TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  audience_id TEXT NOT NULL,
  PRIMARY KEY (org, sandbox, kind, name)
);
CREATE INDEX names_audience ON names (audience_id);

CREATE TABLE tasks (
  id TEXT PRIMARY KEY,
  org TEXT NOT NULL,
  sandbox TEXT NOT NULL,
  status TEXT NOT NULL,
  connection_id TEXT NOT NULL,
  doc TEXT NOT NULL,
  lease_owner TEXT NOT NULL DEFAULT '',
  lease_until BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX tasks_open ON tasks (lease_until) WHERE status = 'PROCESSING';

CREATE TABLE audiences (
  num {{serial}},
  id TEXT NOT NULL UNIQUE,
  org TEXT NOT NULL,
  sandbox TEXT NOT NULL,
  name TEXT NOT NULL,
  connection_id TEXT NOT NULL,
  doc TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  deleted_at BIGINT NOT NULL DEFAULT 0,
  swept_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX audiences_list ON audiences (org, sandbox, created_at, id) WHERE deleted_at = 0;
CREATE INDEX audiences_unswept ON audiences (deleted_at) WHERE deleted_at > 0 AND swept_at = 0;

CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  audience_id TEXT NOT NULL REFERENCES audiences (id),
  seq BIGINT NOT NULL,
  status TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  flow_id TEXT NOT NULL,
  doc TEXT NOT NULL,
  lease_owner TEXT NOT NULL DEFAULT '',
  lease_until BIGINT NOT NULL DEFAULT 0,
  UNIQUE (audience_id, seq)
);
CREATE UNIQUE INDEX runs_one_at_a_time ON runs (audience_id) WHERE status = 'PROCESSING';
CREATE INDEX runs_list ON runs (audience_id, created_at, seq);
CREATE INDEX runs_open ON runs (lease_until) WHERE status = 'PROCESSING';

CREATE TABLE run_flows (
  flow_run_id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id)
);

-- What successful runs have read, by version.
CREATE TABLE read_objects (
  audience_id TEXT NOT NULL,
  path TEXT NOT NULL,
  version TEXT NOT NULL,
  PRIMARY KEY (audience_id, path, version)
);
