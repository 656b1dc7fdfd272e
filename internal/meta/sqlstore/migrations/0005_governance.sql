-- Label grants. label_set names the set of an audience's labels, '' when it has none; label_sets says which labels each
-- set has, and the program fills both in. An audience is seen by who holds all of its set's labels: by who lacks none of
-- them. Clients that were there before hold all labels, as they did.
ALTER TABLE clients ADD COLUMN old_secrets TEXT NOT NULL DEFAULT '[]';
ALTER TABLE clients ADD COLUMN grants TEXT NOT NULL DEFAULT '["*"]';
ALTER TABLE clients ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
UPDATE clients SET updated_at = created_at;
CREATE INDEX clients_list ON clients (org, id);

ALTER TABLE audiences ADD COLUMN label_set TEXT NOT NULL DEFAULT '';
CREATE TABLE label_sets (
  org TEXT NOT NULL,
  label TEXT NOT NULL,
  label_set TEXT NOT NULL,
  PRIMARY KEY (org, label, label_set)
);

DROP INDEX audiences_list;
DROP INDEX audiences_updated;
DROP INDEX audiences_named;
CREATE INDEX audiences_list ON audiences
  (org, sandbox, created_at DESC, id DESC, name_key, namespace, origin_name, lifecycle_state, created_by, label_set, deleted) WHERE NOT deleted;
CREATE INDEX audiences_updated ON audiences (org, sandbox, updated_at DESC, id DESC, label_set) WHERE NOT deleted;
CREATE INDEX audiences_named ON audiences (org, sandbox, name_key COLLATE "C", id, label_set) WHERE NOT deleted;

-- How many audiences with each set of labels a sandbox has. The program counts them.
DROP TABLE audience_counts;
CREATE TABLE audience_counts (
  org TEXT NOT NULL,
  sandbox TEXT NOT NULL,
  label_set TEXT NOT NULL,
  audiences BIGINT NOT NULL,
  PRIMARY KEY (org, sandbox, label_set)
);

-- Who changed what. Rows are added and never changed or removed.
CREATE TABLE audit (
  id TEXT PRIMARY KEY,
  org TEXT NOT NULL,
  sandbox TEXT NOT NULL,
  at BIGINT NOT NULL,
  client_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  outcome TEXT NOT NULL,
  code TEXT NOT NULL,
  missing TEXT NOT NULL,
  labels TEXT NOT NULL,
  before TEXT NOT NULL,
  after TEXT NOT NULL
);
CREATE INDEX audit_list ON audit (org, at DESC, id DESC);
CREATE INDEX audit_sandbox ON audit (org, sandbox, at DESC, id DESC);
CREATE INDEX audit_object ON audit (org, object, at DESC, id DESC);
CREATE INDEX audit_request ON audit (org, request_id, at DESC, id DESC);
CREATE INDEX audit_client ON audit (org, client_id, at DESC, id DESC);
