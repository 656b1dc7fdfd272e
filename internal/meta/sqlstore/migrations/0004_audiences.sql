-- Life cycle states, and lists of audiences by every order and filter. name_key and description_key are filled in by
-- the program, which folds texts alike for every database. audiences_list holds all that audiences are filtered by but
-- the description, so that a filter is counted in it alone; "deleted" stands in it because SQLite looks it up elsewhere
-- otherwise.
ALTER TABLE audiences ADD COLUMN lifecycle_state TEXT NOT NULL DEFAULT 'published';
ALTER TABLE audiences ADD COLUMN name_key TEXT NOT NULL DEFAULT '';
ALTER TABLE audiences ADD COLUMN description_key TEXT NOT NULL DEFAULT '';
DROP INDEX audiences_list;
CREATE INDEX audiences_list ON audiences
  (org, sandbox, created_at DESC, id DESC, name_key, namespace, origin_name, lifecycle_state, created_by, deleted) WHERE NOT deleted;
CREATE INDEX audiences_updated ON audiences (org, sandbox, updated_at DESC, id DESC) WHERE NOT deleted;
CREATE INDEX audiences_named ON audiences (org, sandbox, name_key COLLATE "C", id) WHERE NOT deleted;

-- How many audiences each sandbox has; kept by the transactions that create and delete them.
CREATE TABLE audience_counts (
  org TEXT NOT NULL,
  sandbox TEXT NOT NULL,
  audiences BIGINT NOT NULL,
  PRIMARY KEY (org, sandbox)
);
INSERT INTO audience_counts (org, sandbox, audiences) SELECT org, sandbox, COUNT(*) FROM audiences WHERE NOT deleted GROUP BY org, sandbox;
