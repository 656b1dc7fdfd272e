-- Portable between SQLite and PostgreSQL. Times are microseconds since 1970 in UTC; structured values (fields,
-- source, draft, params, …) are JSON; a "key" column holds a name folded for comparison.

CREATE TABLE counters (
  name TEXT PRIMARY KEY,
  value BIGINT NOT NULL
);
-- Custom namespaces are numbered from 10000, away from the standard ones.
INSERT INTO counters (name, value) VALUES ('sandbox', 0), ('audience', 0), ('namespace', 9999);

CREATE TABLE organizations (
  id TEXT PRIMARY KEY
);

CREATE TABLE sandboxes (
  num BIGINT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  org TEXT NOT NULL,
  name TEXT NOT NULL,
  title TEXT NOT NULL,
  type TEXT NOT NULL,
  is_default BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (org, name)
);

CREATE TABLE clients (
  id TEXT PRIMARY KEY,
  org TEXT NOT NULL,
  name TEXT NOT NULL,
  secret_hash TEXT NOT NULL,
  roles TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE connections (
  id TEXT PRIMARY KEY,
  org TEXT NOT NULL,
  sandbox TEXT NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  description TEXT NOT NULL,
  spec_id TEXT NOT NULL,
  spec_version TEXT NOT NULL,
  auth_spec TEXT NOT NULL,
  params TEXT NOT NULL,
  etag TEXT NOT NULL,
  version BIGINT NOT NULL,
  state TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (org, sandbox, name_key)
);
CREATE INDEX connections_list ON connections (org, sandbox, created_at, id);

CREATE TABLE namespaces (
  id BIGINT PRIMARY KEY,
  org TEXT NOT NULL,
  code TEXT NOT NULL,
  code_key TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  id_type TEXT NOT NULL,
  UNIQUE (org, code_key)
);

-- The names and custom ids that unfinished tasks and live audiences hold in their sandbox.
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
  audience_id TEXT NOT NULL,
  connection_id TEXT NOT NULL,
  draft TEXT NOT NULL,
  error TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  lease_owner TEXT NOT NULL DEFAULT '',
  lease_until BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX tasks_open ON tasks (lease_until) WHERE status = 'PROCESSING';
CREATE INDEX tasks_connection ON tasks (connection_id) WHERE status = 'PROCESSING';

CREATE TABLE audiences (
  id TEXT PRIMARY KEY,
  num BIGINT NOT NULL UNIQUE,
  org TEXT NOT NULL,
  sandbox TEXT NOT NULL,
  task_id TEXT NOT NULL,
  custom_id TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  fields TEXT NOT NULL,
  source TEXT NOT NULL,
  connection_id TEXT NOT NULL,
  ttl_days BIGINT NOT NULL,
  labels TEXT NOT NULL,
  tags TEXT NOT NULL,
  audience_type TEXT NOT NULL,
  origin_name TEXT NOT NULL,
  namespace TEXT NOT NULL,
  profile_ingestion BOOLEAN NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  last_run TEXT NOT NULL,
  members BIGINT NOT NULL,
  refreshed_at BIGINT NOT NULL,
  last_ingested_at BIGINT NOT NULL,
  last_seq BIGINT NOT NULL DEFAULT 0,
  deleted BOOLEAN NOT NULL DEFAULT FALSE,
  swept BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX audiences_list ON audiences (org, sandbox, created_at DESC, id DESC) WHERE NOT deleted;
CREATE INDEX audiences_connection ON audiences (connection_id) WHERE NOT deleted;
CREATE INDEX audiences_unswept ON audiences (num) WHERE deleted AND NOT swept;

CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  audience_id TEXT NOT NULL REFERENCES audiences (id),
  seq BIGINT NOT NULL,
  status TEXT NOT NULL,
  request TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  stages TEXT NOT NULL,
  result TEXT NOT NULL,
  error TEXT NOT NULL,
  progress TEXT NOT NULL,
  created_by TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  ended_at BIGINT NOT NULL,
  lease_owner TEXT NOT NULL DEFAULT '',
  lease_until BIGINT NOT NULL DEFAULT 0,
  UNIQUE (audience_id, seq)
);
CREATE UNIQUE INDEX runs_processing ON runs (audience_id) WHERE status = 'PROCESSING';
CREATE INDEX runs_open ON runs (lease_until) WHERE status = 'PROCESSING';
CREATE INDEX runs_list ON runs (audience_id, created_at, seq);
CREATE INDEX runs_status ON runs (audience_id, status, created_at, seq);
CREATE INDEX runs_flow ON runs (flow_id, seq);

-- The manifest of a run: large, written once, and read by the run's worker only.
CREATE TABLE run_plans (
  run_id TEXT PRIMARY KEY REFERENCES runs (id),
  planned TEXT NOT NULL
);

-- The flow runs of a run's stages.
CREATE TABLE run_flows (
  flow_run_id TEXT NOT NULL,
  run_id TEXT NOT NULL REFERENCES runs (id),
  PRIMARY KEY (flow_run_id, run_id)
);

-- The objects that successful runs of an audience have read, by version.
CREATE TABLE read_objects (
  audience_id TEXT NOT NULL REFERENCES audiences (id),
  path TEXT NOT NULL,
  version TEXT NOT NULL,
  PRIMARY KEY (audience_id, path, version)
);
